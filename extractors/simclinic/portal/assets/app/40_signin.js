// The second factor: a code, by the method that the account has.
const asked = {
  app: 'Type the code that your authenticator app shows.',
  sms: 'Type the code that was sent to your telephone.',
  recovery: 'Type one of your recovery codes.',
};

const codeScreen = (factor) => {
  document.title = `${boot.clinic} · code`;
  const messages = h('div', {class: 'messages', 'aria-live': 'assertive'});
  const say = (text) => messages.replaceChildren(alertText(text));
  const code = h('input', {id: 'code', name: 'code', type: 'text', inputmode: 'numeric', autocomplete: 'one-time-code'});
  const trust = h('input', {name: 'trust', type: 'checkbox'});
  const submit = h('button', {type: 'submit', id: 'verify', class: 'primary'}, 'Continue');
  const enter = async () => {
    submit.disabled = true;
    try {
      Object.assign(boot, await call('POST', '/api/session/code', {code: code.value.trim(), trust: trust.checked}));
      location.hash = '#schedule';
    } catch (refusal) {
      code.value = '';
      say(refusal.message);
    } finally {
      submit.disabled = false;
    }
  };
  show(h('section', {class: 'card sign-in'},
    h('span', {class: 'mark', 'aria-hidden': 'true'}), h('h1', {}, boot.clinic), h('p', {class: 'muted'}, asked[factor.method]),
    messages,
    h('form', {
      'data-role': 'second-factor', 'data-method': factor.method,
      onsubmit: (event) => { event.preventDefault(); if (code.value.trim() === '') say('Please type the code.'); else enter(); },
    },
    h('label', {}, 'Code', code),
    factor.trust && h('label', {class: 'choice'}, trust, 'Trust this browser for 30 days'),
    submit)));
  code.focus();
};

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
      const answer = await call('POST', '/api/session', {username: name.value.trim(), password: word.value});
      Object.assign(boot, answer);
      if (answer.second_factor) codeScreen(answer.second_factor);
      else location.hash = '#schedule';
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
