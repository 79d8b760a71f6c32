// One submit per form: a second click while the first is under way does nothing. Pages work without this file.
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.method !== 'post' || event.defaultPrevented)
    return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = 'yes';
  const button = event.submitter;
  // Not `disabled`: a disabled button would not be sent, and the focus would be lost.
  for (const each of form.querySelectorAll('button')) each.setAttribute('aria-disabled', 'true');
  if (!(button instanceof HTMLButtonElement)) return;
  button.dataset.pressed = 'yes';
  if (!button.matches('.primary, .secondary') || !form.dataset.busy) return;
  button.dataset.label = button.textContent;
  button.textContent = form.dataset.busy;
});

// Back from the next page, out of the browser's cache: the form is fresh again.
window.addEventListener('pageshow', (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll('form[data-sent]')) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll('button')) {
      button.removeAttribute('aria-disabled');
      if (button.dataset.label) button.textContent = button.dataset.label;
      delete button.dataset.label;
      delete button.dataset.pressed;
    }
  }
});
