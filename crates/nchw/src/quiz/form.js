// Checks the answers of the quiz forms on the page, with what stands in their data attributes.
(() => {
  const parse = (text) => (/^[+-]?\d+$/.test(text.trim()) ? Number(text) : null);

  // What is to be said about the whole answer, or nothing.
  const whole = (form, given) =>
    JSON.parse(form.dataset.wholes).find(([answer]) => JSON.stringify(answer) === JSON.stringify(given))?.[1];

  const checkNumbers = (form) => {
    const fields = [...form.querySelectorAll('input')];
    const given = fields.map((field) => parse(field.value));
    const says = given.includes(null) ? undefined : whole(form, given);
    let right = 0;
    const lines = fields.map((field, place) => {
      const value = given[place];
      const good = value === Number(field.dataset.answer);
      right += good ? 1 : 0;
      field.setAttribute('aria-invalid', String(!good));
      if (value === null) return `✗ ${field.dataset.name}: not yet (a whole number belongs here)`;
      if (good) return `✓ ${field.dataset.name} = ${value}: right`;
      const slip = JSON.parse(field.dataset.slips).find(([at]) => at === value || at === null);
      const large = value > Number(field.dataset.answer) ? 'too large' : 'too small';
      return `✗ ${field.dataset.name} = ${value}: not yet` + (says ? '' : ` (${slip ? slip[1] : large})`);
    });
    return { right, all: fields.length, lines, says };
  };

  const checkLetters = (form) => {
    const boxes = [...form.querySelectorAll('input')];
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    if (!chosen.length) return { right: 0, all: 1, lines: ['✗ nothing is chosen yet'] };
    const sorted = [...chosen].sort();
    const right = sorted.join('') === form.dataset.answer;
    const says = whole(form, sorted);
    return { right: right ? 1 : 0, all: 1, lines: [`${right ? '✓' : '✗'} ${chosen.join(' ')}`], says };
  };

  const check = (form) => {
    const { right, all, lines, says } = form.dataset.answer ? checkLetters(form) : checkNumbers(form);
    const head = right === all ? '✓ Right.' : all === 1 ? '✗ Not right yet.' : `✗ Not right yet. Right so far: ${right} of ${all}.`;
    const status = form.querySelector('[role=status]');
    const texts = [head, ...(all === 1 && right === all ? [] : lines), ...(says ? [says] : [])];
    status.replaceChildren(
      ...texts.map((text) => Object.assign(document.createElement('div'), { textContent: text })),
    );
  };

  for (const form of document.querySelectorAll('form.nchw-quiz:not([data-ready])')) {
    form.dataset.ready = 'yes';
    form.querySelector('.nchw-off').hidden = true;
    // The notebook's own keys must not act while somebody types an answer.
    form.addEventListener('keydown', (event) => event.stopPropagation());
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      check(form);
    });
  }
})();
