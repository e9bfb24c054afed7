/**
 * <clip-embed data-clips="clips.json" data-default="a=&b=">: the comparison that the address asks
 * for (?a=&b= to &i=, view and moment, as on the compare page), for the frames of other sites.
 *
 * data-compare, -embed and -frame are handed to the <clip-pair>. The page's link to the whole
 * comparison follows what is shown.
 */

import { element } from '../lib/dom.js';
import { pane } from '../lib/panes.js';
import { SIDES } from '../lib/view.js';
import './clip-pair.js';

export class ClipEmbed extends HTMLElement {
  async connectedCallback() {
    const asked = new URLSearchParams(location.search);
    const query = SIDES.some((side) => asked.has(side))
      ? asked : new URLSearchParams(this.dataset.default);
    const source = new URL(this.dataset.clips, document.baseURI);
    let clips;
    try {
      const answer = await fetch(source);
      if (!answer.ok) throw new Error(`${answer.status}`);
      clips = new Map((await answer.json()).map((clip) => [clip.id, clip]));
    } catch {
      this.replaceChildren(element('p', { class: 'embed-none' }, 'The list of clips did not load.'));
      return;
    }
    const { compare, embed, frame } = this.dataset;
    const pair = element('clip-pair', {
      'data-compare': compare, 'data-embed': embed, 'data-frame': frame,
    });
    for (const side of SIDES) {
      const id = query.get(side);
      if (!id) continue;
      pair.append(pane(side, clips.get(id), new URL('../', source), `No clip is called ${id}.`));
    }
    if (!pair.firstChild) pair.append(pane('a', null, source, 'The address names no clip.'));
    this.replaceChildren(pair);
    pair.restore(query);
    const link = document.querySelector('.embed-foot a');
    const follow = () => { if (!pair.state.playing) link.href = pair.link; };
    pair.addEventListener('clip-pair-change', follow);
    follow();
  }
}

customElements.define('clip-embed', ClipEmbed);
