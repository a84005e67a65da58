// The other screens: the landing schedule, the account, and the records an extraction never opens.
const scheduleScreen = async () => {
  document.title = 'Schedule';
  const main = show(h('h1', {}, 'Schedule'));
  try {
    const answer = await call('GET', '/api/schedule');
    main.append(h('p', {class: 'muted day'}, answer.day), tableOf(answer.headers, answer.rows));
    prefetch('/admin/patients/1');
  } catch (refusal) {
    if (takesOver(refusal)) showNotice(refusal, route);
    else main.append(alertText(refusal.message));
  }
};

const accountScreen = async () => {
  document.title = 'Account settings';
  const main = show(h('h1', {}, 'Account settings'));
  const labels = [['username', 'Username'], ['access-level', 'Access level'], ['active', 'Active'],
    ['access-billing', 'Access Billing'], ['access-charts', 'Access Charts'], ['manage-shifts', 'Manage Shifts']];
  try {
    const answer = await call('GET', '/api/account');
    main.append(h('dl', {class: 'card fields-list'}, labels.flatMap(([field, label]) =>
      [h('dt', {}, label), h('dd', {'data-field': field}, answer[field])])));
  } catch (refusal) {
    if (takesOver(refusal)) showNotice(refusal, route);
    else main.append(alertText(refusal.message));
  }
};

const recordScreen = async (path) => {
  const main = show();
  try {
    const answer = await call('GET', path);
    document.title = answer.title;
    main.append(h('h1', {}, answer.title), ...answer.records.map((record) =>
      h('article', {class: 'card record'}, h('h2', {}, record.title),
        h('dl', {}, record.fields.flatMap((field) => [h('dt', {}, field.label), h('dd', {}, field.value)])))));
  } catch (refusal) {
    main.append(h('h1', {}, 'Not available'), alertText(refusal.message));
  }
};
