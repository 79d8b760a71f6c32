// The code page: a complete code submits itself once, and "Send a new code" counts down.
{
  const input = document.getElementById('code');
  const verify = document.querySelector('button[name="action"][value="verify"]');
  let sent = false;
  input?.addEventListener('input', () => {
    const digits = input.value.replace(/[\s-]/g, '');
    if (sent || !/^\d{6}$/.test(digits)) return;
    sent = true;
    input.form.requestSubmit(verify);
  });
}
{
  const resend = document.querySelector('button[data-wait]');
  if (resend) {
    const label = resend.textContent;
    const end = performance.now() + Number(resend.dataset.wait) * 1000;
    const tick = () => {
      const left = Math.ceil((end - performance.now()) / 1000);
      if (left <= 0) {
        resend.removeAttribute('aria-disabled');
        resend.textContent = label;
        return;
      }
      const text = left === 1 ? resend.dataset.waitOne : resend.dataset.waitOther;
      resend.textContent = text.replace('{n}', String(left));
      setTimeout(tick, 1000);
    };
    resend.setAttribute('aria-disabled', 'true');
    resend.addEventListener('click', (event) => {
      if (resend.getAttribute('aria-disabled') === 'true') event.preventDefault();
    });
    tick();
  }
}
