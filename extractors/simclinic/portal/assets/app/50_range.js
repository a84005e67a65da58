// The date range picker, which for a report as of a day has the day alone: a button that shows what the server applied, and a panel with two fields, shortcuts and a month
// to click in. What is typed there counts only once it is applied.
const iso = (year, month, day) => new Date(Date.UTC(year, month, day)).toISOString().slice(0, 10);

const parts = (text) => {
  const found = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  return found ? [Number(found[1]), Number(found[2]) - 1, Number(found[3])] : null;
};

const monthNames = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October',
  'November', 'December'];

const rangePicker = (asOf) => {
  const from = h('input', {type: 'text', name: 'from', inputmode: 'numeric', autocomplete: 'off', placeholder: 'YYYY-MM-DD'});
  const to = h('input', {type: 'text', name: 'to', inputmode: 'numeric', autocomplete: 'off', placeholder: 'YYYY-MM-DD'});
  const button = h('button', {type: 'button', class: 'range', 'data-role': 'range'});
  const month = h('div', {class: 'month'});
  let shown = [2000, 0];
  let next = 'from';

  const draw = () => {
    const [year, index] = shown;
    const lead = (new Date(Date.UTC(year, index, 1)).getUTCDay() + 6) % 7;
    const length = new Date(Date.UTC(year, index + 1, 0)).getUTCDate();
    const move = (by) => () => {
      const moved = new Date(Date.UTC(year, index + by, 1));
      shown = [moved.getUTCFullYear(), moved.getUTCMonth()];
      draw();
    };
    const days = Array.from({length}, (_, day) => {
      const text = iso(year, index, day + 1);
      const kind = text === from.value || text === to.value ? 'edge' : text > from.value && text < to.value ? 'inside' : undefined;
      return h('button', {type: 'button', class: kind, 'aria-label': text, onclick: () => pick(text)}, String(day + 1));
    });
    month.replaceChildren(
      h('div', {class: 'month-head'},
        h('button', {type: 'button', 'aria-label': 'Month before', onclick: move(-1)}, '‹'),
        h('span', {}, `${monthNames[index]} ${year}`),
        h('button', {type: 'button', 'aria-label': 'Month after', onclick: move(1)}, '›')),
      h('div', {class: 'days'},
        ['Mo', 'Tu', 'We', 'Th', 'Fr', 'Sa', 'Su'].map((day) => h('span', {class: 'weekday'}, day)),
        Array.from({length: lead}, () => h('span', {})), days));
  };
  const pick = (text) => {
    if (asOf) { from.value = text; to.value = text; }
    else if (next === 'from') { from.value = text; to.value = text; next = 'to'; }
    else if (text < from.value) { to.value = from.value; from.value = text; next = 'from'; }
    else { to.value = text; next = 'from'; }
    draw();
  };
  const monthOf = (by) => {
    const [year, index] = parts(to.value) || shown;
    from.value = iso(year, index + by, 1);
    to.value = iso(year, index + by + 1, 0);
    shown = parts(from.value).slice(0, 2);
    draw();
  };
  const panel = h('div', {class: 'panel', 'data-role': 'range-panel'},
    h('div', {class: 'fields'}, ...(asOf ? [h('label', {}, 'As of', to)] : [h('label', {}, 'From', from), h('label', {}, 'To', to)])),
    h('div', {class: 'shortcuts'},
      h('button', {type: 'button', onclick: () => monthOf(0)}, 'Whole month'),
      h('button', {type: 'button', onclick: () => monthOf(-1)}, 'Month before')),
    month);
  const close = popup(button, panel);
  for (const field of [from, to]) field.addEventListener('input', () => draw());

  return {
    element: h('span', {class: 'menu'}, button, panel),
    close,
    read: () => ({from: (asOf ? to : from).value.trim(), to: to.value.trim()}),
    applied: (filters) => {
      from.value = filters.from;
      to.value = filters.to;
      button.textContent = asOf ? `As of ${filters.to}` : `${filters.from} – ${filters.to}`;
      shown = parts(filters.to).slice(0, 2);
      next = 'from';
      draw();
    },
  };
};
