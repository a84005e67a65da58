// Signing in, on one screen or on two.
const signInScreen = () => {
  document.title = `${boot.clinic} · sign in`;
  const parting = boot.parting;
  boot.parting = '';
  const messages = h('div', {class: 'messages', 'aria-live': 'assertive'});
  const say = (text) => messages.replaceChildren(alertText(text));
  const name = h('input', {id: 'auth_key', name: 'auth_key', type: 'text', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false'});
  const word = h('input', {id: 'password', name: 'password', type: 'password', autocomplete: 'current-password'});
  const nameField = h('label', {}, 'Username or e-mail', name);
  const wordField = h('label', {}, 'Password', word);
  const button = (text) => h('button', {type: 'submit', id: 'log_in', class: 'primary'}, text);

  const enter = async () => {
    const submit = document.getElementById('log_in');
    submit.disabled = true;
    try {
      Object.assign(boot, await call('POST', '/api/session', {username: name.value.trim(), password: word.value}));
      location.hash = '#schedule';
    } catch (refusal) {
      word.value = '';
      say(refusal.message);
    } finally {
      submit.disabled = false;
    }
  };
  const askPassword = () => {
    form.replaceChildren(h('p', {class: 'muted'}, 'Signing in as ', h('strong', {}, name.value.trim())), wordField, button('Sign in'));
    messages.replaceChildren();
    word.focus();
  };
  const form = h('form', {
    onsubmit: (event) => {
      event.preventDefault();
      if (name.value.trim() === '') say('Please type your username.');
      else if (!form.contains(word)) askPassword();
      else if (word.value === '') say('Please type your password.');
      else enter();
    },
  }, boot.second_screen ? [nameField, button('Continue')] : [nameField, wordField, button('Sign in')]);

  show(h('section', {class: 'card sign-in'},
    h('span', {class: 'mark', 'aria-hidden': 'true'}), h('h1', {}, boot.clinic), h('p', {class: 'muted'}, 'Staff portal'),
    messages, form));
  if (parting) say(parting);
  name.focus();
};
