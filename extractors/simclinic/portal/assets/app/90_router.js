// Hash routes. Whoever is not signed in sees the sign-in screen, whatever the route.
const routes = [
  [/^schedule$/, () => scheduleScreen()],
  [/^account$/, () => accountScreen()],
  [/^reports$/, () => reportList()],
  [/^reports\/([a-z_]+)$/, (slug) => reportScreen(slug)],
  [/^billing\/claims\/search$/, () => reportScreen('claims')],
  [/^patients\/list$/, () => recordScreen('/api/patients')],
  [/^patients\/(\d+)$/, (id) => recordScreen(`/api/patients/${id}`)],
  [/^chart_entries$/, () => recordScreen('/api/chart_entries')],
  [/^documents$/, () => recordScreen('/api/documents')],
];

function route() {
  const hash = location.hash.replace(/^#/, '');
  if (!boot.username) {
    if (socket) socket.close();
    if (hash !== 'login') history.replaceState(null, '', '#login');
    signInScreen();
    return;
  }
  if (hash === '' || hash === 'login') {
    location.replace('#schedule');
    return;
  }
  listen();
  beacon('opened');
  for (const [pattern, open] of routes) {
    const found = pattern.exec(hash);
    if (found) {
      open(...found.slice(1));
      return;
    }
  }
  document.title = 'Not found';
  show(h('h1', {}, 'Not found'), alertText('There is nothing at this address.'));
}

window.addEventListener('hashchange', route);
window.addEventListener('pagehide', () => { if (boot.username) beacon('left'); });
route();
