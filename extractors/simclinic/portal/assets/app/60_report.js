// A report screen: filters, count, rows, pages, exports. Opening it runs the remembered filters at once.
const pathOf = (slug) => (slug === 'activity' ? '/api/activity' : `/api/reports/${slug}`);

const choice = (name, label, all) => {
  const select = h('select', {name});
  return {
    element: h('label', {class: 'choice'}, label, select),
    read: () => select.value,
    applied: (names, value) => {
      select.replaceChildren(h('option', {value: ''}, all), ...(names || []).map((text) => h('option', {value: text}, text)));
      select.value = value;
    },
  };
};

const exportMenu = (slug, say) => {
  const button = h('button', {type: 'button', class: 'dots', 'data-role': 'menu', 'aria-label': 'More actions'}, '⋯');
  const start = (format) => async () => {
    close();
    try {
      const made = await call('POST', '/api/exports', {report: slug, format});
      const tab = h('a', {href: `/downloads/${made.id}`, target: '_blank', rel: 'opener'});
      document.body.append(tab);
      tab.click();
      tab.remove();
    } catch (refusal) {
      if (takesOver(refusal)) showNotice(refusal, route);
      else say(refusal.message);
    }
  };
  const item = (action, text, act) => h('button', {type: 'button', role: 'menuitem', 'data-action': action, onclick: act}, text);
  const items = h('div', {class: 'menu-items', role: 'menu', 'data-role': 'menu-items'},
    item('export-xlsx', 'Export to Excel', start('xlsx')),
    item('export-csv', 'Export to CSV', start('csv')),
    item('print', 'Print', () => { close(); window.print(); }));
  const close = popup(button, items);
  return h('span', {class: 'menu'}, button, items);
};

// billingCard stands beside billing rows: a patient's picture, and a button that writes.
const billingCard = (answer) => {
  const column = answer.headers.indexOf('Invoice #');
  const invoice = answer.rows.length > 0 && column >= 0 ? answer.rows[0][column] : '';
  const said = h('p', {class: 'muted'});
  const pay = async () => {
    try {
      await call('POST', '/api/payments', {invoice, amount: 'balance'});
      said.textContent = `Payment recorded on ${invoice}.`;
    } catch (refusal) {
      said.textContent = refusal.message;
    }
  };
  return h('aside', {class: 'card beside'},
    h('a', {href: `#patients/${answer.beside}`}, h('img', {src: `/api/patients/${answer.beside}/photo`, alt: 'Patient', width: '56', height: '56'})),
    h('div', {}, h('p', {class: 'muted'}, 'First on this page'), h('p', {}, invoice || 'No invoice')),
    h('button', {type: 'button', 'data-action': 'record-payment', onclick: pay}, 'Record payment'), said);
};

const reportScreen = (slug) => {
  const known = boot.reports.find((report) => report.slug === slug);
  if (!known) {
    show(h('h1', {}, 'Not available'), alertText('Your access level does not allow this.'));
    return;
  }
  document.title = known.title;
  const messages = h('div', {class: 'messages'});
  const say = (text) => messages.replaceChildren(alertText(text));
  const range = rangePicker(known.as_of);
  const place = choice('location', 'Location', 'All locations');
  const staff = choice('staff', 'Staff', 'All staff');
  const outcome = h('div', {class: 'outcome'});
  const section = h('section', {'data-role': 'report', 'data-report': slug},
    h('div', {class: 'screen-head'}, h('h1', {}, known.title), exportMenu(slug, say)));
  let latest = 0;

  const applied = (filters) => {
    range.applied(filters);
    place.applied(filters.locations, filters.location);
    staff.applied(filters.staff_names, filters.staff);
  };
  const attempt = async (act) => {
    const mine = ++latest;
    const stands = () => mine === latest && section.isConnected;
    section.setAttribute('aria-busy', 'true');
    messages.replaceChildren();
    outcome.replaceChildren(h('p', {class: 'muted'}, 'Working…'));
    try {
      await act(stands);
    } catch (refusal) {
      if (!stands()) return;
      outcome.replaceChildren();
      if (takesOver(refusal)) showNotice(refusal, route);
      else say(refusal.message);
    } finally {
      if (stands()) section.removeAttribute('aria-busy');
    }
  };
  const run = async (stands, page, fresh, cached) => {
    const answer = await call('GET', `${pathOf(slug)}?page=${page}${fresh ? '&fresh=1' : ''}`);
    if (!stands()) return;
    const again = (number) => () => attempt((still) => run(still, number, false, answer.cached || cached));
    const turn = (role, text, number, possible) =>
      h('button', {type: 'button', 'data-role': role, disabled: !possible, onclick: again(number)}, text);
    outcome.replaceChildren(
      h('div', {class: 'summary'},
        h('span', {'data-role': 'count', class: 'count'}, `${count(answer.rows.length)} of ${count(answer.total)}`),
        (page === 1 ? answer.cached : cached) && h('span', {class: 'muted'}, `as computed at ${answer.computed_at} · `,
          h('a', {
            href: location.hash, 'data-role': 'fresh-copy',
            onclick: (event) => { event.preventDefault(); attempt((still) => run(still, 1, true)); },
          }, 'Get a fresh copy'))),
      ...(answer.beside && slug === 'sales' ? [billingCard(answer)] : []),
      tableOf(answer.headers, answer.rows),
      h('div', {class: 'pager'},
        turn('previous', 'Previous', page - 1, page > 1),
        h('span', {class: 'muted'}, `Page ${count(answer.page)} of ${count(answer.pages)}`),
        turn('next', 'Next', page + 1, page < answer.pages)));
    if (answer.beside) prefetch(`/admin/patients/${answer.beside}`);
  };
  const apply = (filters) => attempt(async (stands) => {
    const set = await call('PUT', '/api/filters', filters);
    if (!stands()) return;
    range.close();
    applied(set);
    await run(stands, 1);
  });
  section.append(
    h('form', {
      class: 'filters', 'data-role': 'filters',
      onsubmit: (event) => { event.preventDefault(); apply({...range.read(), location: place.read(), staff: staff.read()}); },
    },
    range.element, place.element, staff.element,
    h('button', {type: 'submit', class: 'primary', 'data-role': 'apply'}, 'Apply'),
    h('button', {type: 'button', 'data-role': 'reset', onclick: () => apply({from: '', to: '', location: '', staff: ''})}, 'Reset')),
    messages, outcome);
  show(section);
  attempt(async (stands) => {
    const remembered = await call('GET', '/api/filters');
    if (!stands()) return;
    applied(remembered);
    await run(stands, 1);
  });
};

const reportList = () => {
  document.title = 'Reports';
  show(h('h1', {}, 'Reports'),
    h('ul', {class: 'report-list'}, boot.reports.map((report) =>
      h('li', {}, h('a', {href: report.slug === 'claims' ? '#billing/claims/search' : `#reports/${report.slug}`}, report.title)))));
};
