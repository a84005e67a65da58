// The frame around every screen: the bar at the top with its navigation and the account menu. One popup is open at a time.
let closeOpen = () => {};
document.addEventListener('click', () => closeOpen());
document.addEventListener('keydown', (event) => { if (event.key === 'Escape') closeOpen(); });

const popup = (button, items) => {
  const close = () => { items.hidden = true; button.setAttribute('aria-expanded', 'false'); };
  button.setAttribute('aria-haspopup', 'true');
  close();
  button.addEventListener('click', (event) => {
    event.stopPropagation();
    const opens = items.hidden;
    closeOpen();
    closeOpen = close;
    items.hidden = !opens;
    button.setAttribute('aria-expanded', String(opens));
  });
  items.addEventListener('click', (event) => event.stopPropagation());
  return close;
};

const signOut = async () => {
  try {
    const answer = await call('DELETE', '/api/session');
    Object.assign(boot, answer, {parting: ''});
  } catch {
    boot.username = '';
  }
  location.hash = '#login';
};

const sees = (part) => boot.sees.includes(part);

const link = (hash, text, part) => {
  const here = location.hash === hash || (hash !== '#schedule' && location.hash.startsWith(hash.split('/')[0]));
  return h('a', {href: hash, 'data-nav': part, 'aria-current': here ? 'page' : undefined}, text);
};

const topBar = () => {
  const button = h('button', {type: 'button', class: 'account', 'data-role': 'account-menu'}, boot.username);
  const items = h('div', {class: 'menu-items', role: 'menu'},
    h('a', {href: '#account', role: 'menuitem'}, 'Account settings'),
    h('button', {type: 'button', role: 'menuitem', 'data-role': 'sign-out', onclick: signOut}, 'Sign out'));
  popup(button, items);
  return h('header', {class: 'top'},
    h('span', {class: 'brand'}, h('span', {class: 'mark', 'aria-hidden': 'true'}), boot.clinic),
    h('nav', {'aria-label': 'Main'},
      link('#schedule', 'Schedule'),
      sees('patients') && link('#patients/list', 'Patients', 'patients'),
      sees('charts') && link('#chart_entries', 'Charts', 'charts'),
      sees('shifts') && link('#shifts', 'Shifts', 'shifts'),
      sees('billing') && link('#billing/claims/search', 'Billing', 'billing'), link('#reports', 'Reports')),
    h('span', {class: 'menu'}, button, items));
};

const show = (...content) => {
  const main = h('main', {}, ...content);
  root.replaceChildren(...(boot.username ? [topBar(), main] : [main]));
  return main;
};

const showNotice = (refusal, again) => {
  show(h('section', {class: 'card notice'},
    h('h1', {}, refusal.status === 503 ? 'Closed for now' : 'One moment'),
    alertText(refusal.message),
    h('button', {type: 'button', class: 'primary', 'data-role': 'try-again', onclick: again}, 'Try again')));
};
