// Building the document: h('button', {class: 'primary', onclick: f}, 'text', child).
const h = (tag, attributes, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return element;
};

const root = document.getElementById('app');

const count = (number) => number.toLocaleString('en-US');

const alertText = (text) => h('p', {role: 'alert', class: 'alert'}, text);

const tableOf = (headers, rows) =>
  h('div', {class: 'table-frame'},
    h('table', {},
      h('thead', {}, h('tr', {}, headers.map((header) => h('th', {scope: 'col'}, header)))),
      h('tbody', {}, rows.map((row) => h('tr', {}, row.map((cell) => h('td', {}, cell)))))));
