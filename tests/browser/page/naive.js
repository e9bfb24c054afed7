// The original page's logic, for comparison: both to the start, both played, nothing more.
for (const video of document.querySelectorAll('video')) video.preload = 'metadata';

window.naivePlay = () => {
  const videos = document.querySelectorAll('video');
  for (const video of videos) video.currentTime = 0;
  for (const video of videos) video.play().catch(() => {});
};
