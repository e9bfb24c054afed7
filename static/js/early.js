// Run before the compare page is drawn. Where its address names more than two clips, the script of
// the lists will build the others; what it moves is not shown before (css/pages/compare.css), for
// a few seconds at most.
(() => {
  const query = new URLSearchParams(location.search);
  if (![...'cdefghi'].some((side) => query.has(side))) return;
  const { dataset } = document.documentElement;
  dataset.clips = 'awaited';
  setTimeout(() => { delete dataset.clips; }, 4000);
})();
