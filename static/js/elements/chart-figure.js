/**
 * <chart-figure data-src="figure.json" label="…">: a Plotly figure in place of its poster.
 *
 * The page brings a poster (.chart__stage), a status line and a legend whose items name their
 * traces (data-traces). Near the viewport the element fetches Plotly and the figure and draws
 * over the poster; font and margins come from the stylesheet. Clicking a point opens its clip's
 * page (with a finger: the first tap tells, the second opens). Legend items become toggles.
 * Where anything fails, the poster stays and the status line says so.
 *
 * Attribute out: data-state = waiting | loading | drawn | failed. Event out: chart-drawn.
 */
const PLOTLY = new URL('../../vendor/plotly-basic-4.1.1.min.js', import.meta.url);
const NEAR = '400px';

/** One script element however many charts a page has; a failed one may be tried again. */
let plotly = null;

function loadPlotly() {
  plotly ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = PLOTLY.href;
    script.onload = () => resolve(globalThis.Plotly);
    script.onerror = () => {
      plotly = null;
      script.remove();
      reject(new Error('the chart library did not load'));
    };
    document.head.append(script);
  });
  return plotly;
}

async function loadFigure(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`its data did not load (${answer.status})`);
  return answer.json();
}

export class ChartFigure extends HTMLElement {
  #near = null;
  #canvas = null;
  #resize = null;
  /** The latest press: was it a finger's, and has it been answered? */
  #press = { finger: false, answered: false };
  /** The point a finger was told of last. */
  #told = null;

  connectedCallback() {
    if (this.dataset.state === 'drawn') return;
    this.dataset.state = 'waiting';
    this.#near = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        this.#near.disconnect();
        this.#draw();
      },
      { rootMargin: NEAR },
    );
    this.#near.observe(this);
  }

  disconnectedCallback() {
    this.#near?.disconnect();
    this.#resize?.disconnect();
    if (!this.#canvas) return;
    globalThis.Plotly?.purge(this.#canvas);
    this.#canvas.remove();
    this.#canvas = null;
    delete this.dataset.state;
  }

  async #draw() {
    this.dataset.state = 'loading';
    try {
      const [Plotly, figure] = await Promise.all([
        loadPlotly(),
        loadFigure(new URL(this.dataset.src, document.baseURI)),
        document.fonts.load(`12px ${getComputedStyle(this.#stage).fontFamily}`).catch(() => []),
      ]);
      if (!this.isConnected) return;
      await this.#plot(Plotly, figure);
      this.#legend(Plotly);
      this.#say('');
      this.dataset.state = 'drawn';
      this.dispatchEvent(new CustomEvent('chart-drawn', { bubbles: true }));
    } catch (error) {
      this.dataset.state = 'failed';
      this.#say(
        `The interactive chart is not available: ${error.message}. ` +
          'The picture and the table show the same numbers.',
      );
    }
  }

  async #plot(Plotly, { data, layout }) {
    this.#canvas = document.createElement('div');
    this.#canvas.className = 'chart__canvas';
    this.#canvas.setAttribute('role', 'group');
    this.#canvas.setAttribute('aria-label', this.getAttribute('label') ?? '');
    this.#canvas.addEventListener(
      'pointerdown',
      (event) => {
        this.#press = { finger: event.pointerType === 'touch', answered: false };
      },
      { capture: true },
    );
    this.#stage.append(this.#canvas);

    const { fontFamily: family, fontSize } = getComputedStyle(this.#stage);
    const font = { family, size: Number.parseFloat(fontSize) };
    Object.assign(layout.font, font);
    Object.assign(layout.hoverlabel.font, font);
    layout.transition = { duration: 0 };
    await Plotly.newPlot(this.#canvas, data, { ...layout, ...this.#size() }, {
      displaylogo: false,
      displayModeBar: 'hover',
      modeBarButtons: [['zoom2d', 'resetScale2d', 'toImage']],
      scrollZoom: false,
      doubleClick: 'reset',
      showTips: false,
    });
    this.#canvas.on('plotly_click', (event) => this.#open(Plotly, event));

    // Plotly's own "responsive" follows the window only, and knows no margins from a stylesheet.
    this.#resize = new ResizeObserver(() => Plotly.relayout(this.#canvas, this.#size()));
    this.#resize.observe(this.#stage);
  }

  /** The stage's box and padding, as Plotly wants them. */
  #size() {
    const style = getComputedStyle(this.#stage);
    const [t, r, b, l] = ['Top', 'Right', 'Bottom', 'Left'].map((side) =>
      Number.parseFloat(style[`padding${side}`]),
    );
    return {
      width: this.#stage.clientWidth,
      height: this.#stage.clientHeight,
      margin: { t, r, b, l, pad: 0 },
    };
  }

  #open(Plotly, { points: [point], event }) {
    const page = new URL(point.customdata, document.baseURI);
    const place = `${point.curveNumber}/${point.pointNumber}`;
    // A tap reaches Plotly twice: as a touch, and as the mouse that browsers feign after it.
    if (this.#press.answered) return;
    this.#press.answered = true;
    if (this.#press.finger && this.#told !== place) {
      this.#told = place;
      const { curveNumber, pointNumber } = point;
      // After Plotly has ended the tap, which wipes what it showed.
      setTimeout(() => Plotly.Fx.hover(this.#canvas, [{ curveNumber, pointNumber }]));
      return;
    }
    if (event.ctrlKey || event.metaKey) globalThis.open(page, '_blank', 'noopener');
    else location.assign(page);
  }

  /** Every legend item becomes a button that shows and hides its line. */
  #legend(Plotly) {
    for (const item of this.querySelectorAll('li[data-traces]')) {
      const old = item.querySelector('button');
      if (old) {
        old.ariaPressed = 'true';
        continue;
      }
      const traces = item.dataset.traces.split(' ').map(Number);
      const button = document.createElement('button');
      button.type = 'button';
      button.ariaPressed = 'true';
      button.append(...item.childNodes);
      button.addEventListener('click', () => {
        const show = button.ariaPressed !== 'true';
        button.ariaPressed = String(show);
        Plotly.restyle(this.#canvas, { visible: show }, traces);
      });
      item.append(button);
    }
  }

  #say(text) {
    this.querySelector('.chart__status').textContent = text;
  }

  get #stage() {
    return this.querySelector('.chart__stage');
  }
}

customElements.define('chart-figure', ChartFigure);
