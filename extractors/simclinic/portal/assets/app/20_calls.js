// Talking to the server. A Refusal carries the text to show; some of them end the session or take over the screen.
const boot = JSON.parse(document.getElementById('boot').textContent);

class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const call = async (method, path, body) => {
  const headers = {Accept: 'application/json'};
  if (method !== 'GET') headers['X-CSRF-Token'] = boot.csrf;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response;
  let answer;
  try {
    response = await fetch(path, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      credentials: 'same-origin', cache: 'no-store',
    });
    answer = await response.json();
  } catch {
    throw new Refusal(0, 'unreachable', 'The portal cannot be reached.');
  }
  if (response.ok) return answer;
  if (answer.csrf) boot.csrf = answer.csrf;
  const error = answer.error || {};
  const refusal = new Refusal(response.status, error.code, error.message || 'Something went wrong.');
  if (boot.username && (refusal.code === 'session_ended' || refusal.code === 'deactivated')) {
    boot.username = '';
    boot.parting = refusal.message;
    location.hash = '#login';
  }
  return Promise.reject(refusal);
};

// takesOver says whether a refusal concerns the whole portal and not what was asked.
const takesOver = (refusal) => refusal.status === 429 || refusal.status === 503;
