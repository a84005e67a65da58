// What the app sends and fetches that nobody asked for, as such apps do: prefetched patient pages, usage beacons, and a
// socket for presence messages.
const prefetch = (href) => {
  if (!document.head.querySelector(`link[rel=prefetch][href="${href}"]`)) document.head.append(h('link', {rel: 'prefetch', href}));
};

const beacon = (event) => {
  const cell = document.querySelector('td');
  navigator.sendBeacon('/api/telemetry', JSON.stringify({event, screen: location.hash, near: cell ? cell.textContent : ''}));
};

// misbehave does what a portal with a bug does: record a payment that nobody asked for, or never come back.
const misbehave = (answer) => {
  if (answer.write) call('POST', '/api/payments', {invoice: '1-P01', amount: 'balance'}).catch(() => {});
  if (answer.hang) setTimeout(() => { for (;;); }, 0);
};

let socket;
const listen = () => {
  if (socket || !boot.username) return;
  try {
    socket = new WebSocket(`${location.origin.replace('http', 'ws')}/cable`);
    socket.addEventListener('message', (event) => { document.body.dataset.presence = JSON.parse(event.data).text; });
    socket.addEventListener('close', () => { socket = undefined; });
  } catch {
    socket = undefined;
  }
};
