// Checks the answers in the quiz forms on the page against the data attributes of the forms.
(() => {
  // Full-width digits, as typed on a Korean keyboard, count as digits.
  const parse = (text) => {
    const plain = text.normalize('NFKC').trim();
    return /^[+-]?\d+$/.test(plain) ? BigInt(plain.replace(/^\+/, '')) : null;
  };

  // Why this number cannot be an answer, or undefined.
  const impossible = (field, value) => {
    if (value === null) return 'expected a whole number';
    if (BigInt.asIntN(64, value) !== value) return 'that is out of range';
    if (field.dataset.least === '' || value >= BigInt(field.dataset.least)) return undefined;
    return value < 0n ? 'a count cannot be negative' : 'it must be at least 1';
  };

  // The feedback on one number.
  const about = (field, value, good) => {
    const { answer, meaning, slips } = field.dataset;
    if (good) return meaning;
    const slip = JSON.parse(slips).find(([at]) => at === null || BigInt(at) === value);
    const way = value > BigInt(answer) ? 'too large' : 'too small';
    return slip ? slip[1] : meaning ? `${way}; it counts the ${meaning}` : way;
  };

  // The feedback on the whole answer, or undefined.
  const whole = (form, given) =>
    JSON.parse(form.dataset.wholes).find(([answer]) => answer.join() === given.join())?.[1];

  const checkNumbers = (form) => {
    const fields = [...form.querySelectorAll('input')];
    const given = fields.map((field) => parse(field.value));
    const faults = fields.map((field, index) => impossible(field, given[index]));
    const clear = faults.every((fault) => !fault);
    const says = clear ? whole(form, given) : undefined;
    let right = 0;
    const lines = fields.map((field, index) => {
      const value = given[index];
      const good = value === BigInt(field.dataset.answer);
      right += good ? 1 : 0;
      field.setAttribute('aria-invalid', String(!good));
      const name = value === null ? field.dataset.name : `${field.dataset.name} = ${value}`;
      const why = faults[index] ?? (says && !good ? '' : about(field, value, good));
      return `${good ? '✓' : '✗'} ${name}: ${good ? 'right' : 'not yet'}` + (why ? ` (${why})` : '');
    });
    return { right, all: fields.length, lines, says, unclear: !clear };
  };

  const checkLetters = (form) => {
    const boxes = [...form.querySelectorAll('input')];
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    if (!chosen.length) return { right: 0, all: 1, lines: ['✗ nothing is chosen yet'], unclear: true };
    const sorted = [...chosen].sort();
    const right = sorted.join('') === form.dataset.answer;
    const says = whole(form, sorted);
    return { right: right ? 1 : 0, all: 1, lines: [`${right ? '✓' : '✗'} ${chosen.join(' ')}`], says };
  };

  const check = (form) => {
    const { right, all, lines, says, unclear } = form.dataset.answer ? checkLetters(form) : checkNumbers(form);
    form.dataset.unclear = String(unclear === true);
    form.dataset.right = String(right === all);
    const head = right === all ? '✓ Right.' : all === 1 ? '✗ Not right yet.' : `✗ Not right yet. Right so far: ${right} of ${all}.`;
    const status = form.querySelector('[role=status]');
    const texts = [head, ...(all === 1 && right === all ? [] : lines), ...(says ? [says] : [])];
    status.replaceChildren(
      ...texts.map((text) => Object.assign(document.createElement('div'), { textContent: text })),
    );
  };

  // Reports the attempt to the Jupyter server, so that `quiz::progress()` counts it. On other pages,
  // such as the book or Visual Studio Code, there is no such server.
  const count = async (form) => {
    const settings = document.getElementById('jupyter-config-data');
    if (!settings || form.dataset.unclear === 'true') return;
    const { baseUrl, token } = JSON.parse(settings.textContent);
    const xsrf = /(?:^|; )_xsrf=([^;]+)/.exec(document.cookie)?.[1];
    const said = await fetch(`${baseUrl}nchw/answers`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        ...(token ? { Authorization: `token ${token}` } : {}),
        ...(xsrf ? { 'X-XSRFToken': decodeURIComponent(xsrf) } : {}),
      },
      body: JSON.stringify({ id: form.dataset.id, right: form.dataset.right === 'true' }),
    }).then((answer) => answer.ok, () => false);
    const text = said
      ? 'Counted in quiz::progress().'
      : 'Not counted in quiz::progress(): this Jupyter was not started with `cargo xtask lab`. Answer in a cell to count it.';
    const line = Object.assign(document.createElement('small'), { textContent: text });
    form.querySelector('[role=status]').append(line);
  };

  for (const form of document.querySelectorAll('form.nchw-quiz:not([data-ready])')) {
    form.dataset.ready = 'yes';
    form.querySelector('.nchw-off').hidden = true;
    // Keys that are typed into the form must not trigger the notebook's shortcuts.
    form.addEventListener('keydown', (event) => event.stopPropagation());
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      check(form);
      count(form);
    });
  }
})();
