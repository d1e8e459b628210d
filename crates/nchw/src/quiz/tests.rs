//! Every question: its answer in libtorch, its feedback, and its notebook.

use super::run::{random_question, sizes_out, truth};
use super::*;
use nchw_core::quiz::question::{Ask, Choice, Question, Unknown, Wrong, numbers};
use nchw_core::quiz::{questions, slips, texts};
use std::{collections::HashSet, fs, path::Path};

#[path = "../../tests/quiz/counted.rs"]
mod counted;

/// All questions. If a file has an error, every test that needs them says so.
fn all() -> &'static [Arc<Question>] {
    questions::questions().unwrap_or_else(|error| panic!("{error}"))
}

fn each(mut check: impl FnMut(&Question) -> Option<String>) {
    let faults: Vec<String> = all()
        .iter()
        .filter_map(|question| check(question).map(|fault| format!("{}: {fault}", question.id)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn libtorch_gives_every_answer() {
    each(|question| {
        if matches!(question.ask, Ask::Letters | Ask::Unknown(_)) {
            return None;
        }
        let answer = numbers(&question.answer);
        match truth(question) {
            Ok(found) => {
                (found != answer).then(|| format!("the answer is {answer:?}, libtorch gives {found:?}"))
            }
            Err(error) => Some(error.to_string()),
        }
    });
}

#[test]
fn an_error_in_a_file_names_the_file_the_line_and_the_field() {
    let file = "[[question]]\nid = \"a1\"\nlevel = 1\nnotebook = \"\"\ntext = \"\"\nask = \"output\"\nanswer = \"3\"\nhints = []\n";
    let said = |text: &str| questions::parsed("questions/local.toml", text).err().unwrap().to_string();
    assert!(questions::parsed("questions/local.toml", file).is_ok());
    for (text, line, words) in [
        (file.replace("hints", "hint"), 8, "unknown field `hint`, expected one of `id`"),
        (file.replace("text = \"\"\n", ""), 1, "missing field `text`"),
        (file.replace("\"output\"", "\"outpt\""), 6, "unknown variant `outpt`, expected one of `output`"),
        (format!("{file}wrong = [\n  {{ answer = \"2\", says = \"\" }},\n]\n"), 10, "unknown field `says`"),
        (file.replace("level = 1", "level = "), 3, ""),
    ] {
        let said = said(&text);
        assert!(said.starts_with("questions/local.toml: ") && said.contains(words), "{said}");
        assert!(said.contains(&format!("at line {line}")), "line {line}: {said}");
    }
    let slips = texts::slips("questions/slips.toml", "batch-in-weigth = \"\"");
    let said = slips.err().unwrap().to_string();
    assert!(
        said.contains("questions/slips.toml") && said.contains("unknown field `batch-in-weigth`"),
        "{said}"
    );
}

/// Every number in braces is replaced.
#[test]
fn no_placeholder_is_left_in_a_text() {
    let random = (0..200).map(|seed| Arc::new(random_question(seed, 1 + (seed % 4) as u8).unwrap()));
    for question in all().iter().cloned().chain(random) {
        for slip in slips::slips(&question) {
            assert!(!slip.says.contains(['{', '}']), "{}: {}", question.id, slip.says);
        }
    }
}

/// A third way, which uses neither libtorch nor the arithmetic of `shapes`: it places the windows one
/// after the other and counts them.
#[test]
fn counting_gives_every_answer() {
    let mut compared = 0;
    each(|question| {
        let found = counted::answer(question)?;
        compared += 1;
        let answer = numbers(&question.answer);
        (found != answer).then(|| format!("the answer is {answer:?}, counting gives {found:?}"))
    });
    let letters = all().iter().filter(|question| matches!(question.ask, Ask::Letters));
    let answers: Vec<(&str, &str)> = letters.map(|q| (q.id.as_str(), q.answer.as_str())).collect();
    assert_eq!(answers, [("why1", "F"), ("conv10", "B"), ("e1", "N H W"), ("d1", "B")]);
    assert_eq!(compared + answers.len(), all().len());
}

/// A learner may have disabled gradients, which receptive fields need.
#[test]
fn answers_need_no_gradients_outside() {
    let _guard = tch::no_grad_guard();
    libtorch_gives_every_answer();
}

/// The text gives the output's sizes; only one value of the unknown leads to them.
#[test]
fn every_unknown_has_one_solution() {
    each(|question| {
        let Ask::Unknown(_) = question.ask else { return None };
        let wanted = sizes_out(&question.input, &question.filled(&question.answer))?;
        let in_text = |size: &i64| question.text.contains(&size.to_string());
        let groups = question.ask == Ask::Unknown(Unknown::Groups);
        if !groups && !wanted[wanted.len() - 2..].iter().all(in_text) {
            return Some(format!("the text does not give the output's sizes, {wanted:?}"));
        }
        let fits = |value: &i64| {
            let layers = question.filled(&value.to_string());
            let table = crate::shapes::table(&question.input, &layers).ok()?;
            let weight = table.rows.first()?.weight.iter().map(u64::to_string).collect::<Vec<_>>().join("x");
            let given = !groups || question.text.contains(&weight);
            (given && sizes_out(&question.input, &layers)? == wanted).then_some(*value)
        };
        let solutions: Vec<i64> = (0..40i64).filter_map(|value| fits(&value)).collect();
        (solutions != numbers(&question.answer)).then(|| format!("{solutions:?} are solutions"))
    });
}

/// Quiz e1: C is the only size of a weight that the input determines.
#[test]
fn of_a_weight_all_but_c_can_be_chosen() {
    let input = tch::Tensor::ones([1, 3, 7, 9], (tch::Kind::Float, tch::Device::Cpu));
    let accepted = |sizes: [i64; 4]| {
        let weight = tch::Tensor::ones(sizes, (tch::Kind::Float, tch::Device::Cpu));
        input.f_conv2d::<tch::Tensor>(&weight, None, 1, 0, 1, 1).is_ok()
    };
    assert!(accepted([10, 3, 5, 4]));
    let changed = [[11, 3, 5, 4], [10, 2, 5, 4], [10, 3, 2, 4], [10, 3, 5, 1]];
    let free: String =
        "NCHW".chars().zip(changed).filter(|(_, sizes)| accepted(*sizes)).map(|(axis, _)| axis).collect();
    let answer = &all().iter().find(|question| question.id == "e1").unwrap().answer;
    assert_eq!(answer.replace(' ', ""), free);
}

#[test]
fn every_question_is_whole() {
    let mut ids = HashSet::new();
    for question in all().iter() {
        assert!(ids.insert(&question.id), "two questions are called {}", question.id);
    }
    assert!(all().len() >= 97);
    each(|question| {
        let enough = !question.hints.is_empty()
            && question.hints.iter().all(|hint| !hint.trim().is_empty())
            && !question.text.trim().is_empty()
            && (1..=4).contains(&question.level);
        let right = Feedback::of(question, &Answer::Text(question.answer.clone())).is_right();
        let explained = !explain::arithmetic(question).is_empty();
        (!enough || !right || !explained)
            .then(|| format!("hints {enough}, graded right {right}, explained {explained}"))
    });
}

/// Every known wrong answer is wrong, can be read, and its feedback is shown.
#[test]
fn every_known_wrong_answer_is_named() {
    each(|question| {
        question.wrong.iter().find_map(|Wrong { answer: wrong, feedback: says }| {
            let feedback = Feedback::of(question, &Answer::Text(wrong.clone()));
            // If its count of numbers is wrong, the feedback is part of the sentence about that.
            let fault =
                feedback.is_right() || !feedback.to_string().to_lowercase().contains(&says.to_lowercase());
            fault.then(|| format!("`{wrong}` gives\n{feedback}"))
        })
    });
}

/// Every question is in its notebook, and the notebooks contain no unknown ones.
#[test]
fn no_question_is_an_orphan() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../notebooks/src");
    each(|question| {
        let text = fs::read_to_string(folder.join(format!("{}.md", question.notebook))).unwrap();
        (!ids_in(&text).contains(&question.id.as_str()))
            .then(|| format!("it is missing in {}, as quiz(\"…\") or in a quiz_form", question.notebook))
    });
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        // Jupyter may create a folder of its own there.
        let text = if path.is_file() { fs::read_to_string(&path).unwrap() } else { String::new() };
        for id in ids_in(&text) {
            assert!(quiz(id).0.is_ok(), "{}: there is no quiz `{id}`", path.display());
        }
    }
}

/// The ids in `quiz("a1")` and `quiz_form(&["a1", "a2"])`; `quiz("…")` is part of the prose.
fn ids_in(notebook: &str) -> Vec<&str> {
    let single = notebook.split("quiz(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let forms = notebook.split("quiz_form(").skip(1).filter_map(|rest| rest.split(')').next());
    let listed = forms.flat_map(|list| list.split('"').skip(1).step_by(2));
    single.chain(listed).filter(|id| !id.contains('…')).collect()
}

#[test]
fn ids_are_found_in_notebooks() {
    let text = "`quiz(\"…\")` and\nquiz(\"b2\").hint()\nquiz_form(&[\n  \"a1\",\n  \"a2\"])";
    assert_eq!(ids_in(text), ["b2", "a1", "a2"]);
}

/// Pure arithmetic, except for the file that runs the layers.
#[test]
fn only_one_file_uses_libtorch_and_none_the_notebook_format() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/quiz");
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let knows = |word: &str| text.contains(word) && !path.ends_with("tests.rs");
        assert!(!knows("EVCXR"), "{}", path.display());
        assert_eq!(knows("tch::"), path.ends_with("run.rs"), "{}", path.display());
    }
}

/// Numbers as they were typed, and why they are not an answer.
#[test]
fn unusual_numbers_are_quoted_as_typed() {
    let says = |answer: Answer| Feedback::of(&all()[1], &answer).to_string();
    for (answer, words) in [
        (f64::NAN.into_answer(), "NaN is not a number"),
        (f64::INFINITY.into_answer(), "`inf` is infinite"),
        (i64::MAX.into_answer(), "9223372036854775807: not yet (too large"),
        (u64::MAX.into_answer(), "18446744073709551615 is out of range"),
        (usize::MAX.into_answer(), "18446744073709551615 is out of range"),
        (1e300.into_answer(), "1e300 is out of range"),
        (2.5.into_answer(), "2.5 is not whole"),
        ((-7).into_answer(), "= -7 is not possible: a count cannot be negative"),
        (i64::MIN.into_answer(), "-9223372036854775808 is not possible"),
        ("24.0".into_answer(), "as a whole number, `24`"),
        ("２４".into_answer(), "weights = 24: not yet"),
    ] {
        let said = says(answer);
        assert!(said.contains(words), "expected `{words}` in\n{said}");
    }
    let said = Feedback::of(&all()[0], &"Ｆ".into_answer());
    assert!(said.is_right(), "{said}");
}

/// A layer with a digit too many is refused before libtorch asks for the memory.
#[test]
fn layers_that_would_fill_the_memory_are_refused() {
    let said = |layers: &str| {
        run::Run::of("3x40x60", layers).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let large = said("conv 90000000 5x5");
    assert!(
        large.contains("conv 90000000 5x5") && large.contains("GB") && large.contains("100,000,000"),
        "{large}"
    );
    for layers in [
        "conv 4 3x3 padding 50000",
        "linear 60->1000000000",
        "flatten; linear 100000000",
        "conv 2000000 1x1; gap",
        "conv 90000000 100x100",
        &["conv 900 3x3 same"; 100].join("; "),
    ] {
        let said = said(layers);
        assert!(said.contains("expected at most") || said.contains("does not fit"), "{said}");
    }
    assert_eq!(said("conv 100 5x5 padding 2"), "");
}

#[test]
fn random_questions_have_every_level() {
    for level in 1..=4 {
        let mut kinds = HashSet::new();
        for seed in 0..50 {
            let question = random_question(seed, level).unwrap();
            assert_eq!(counted::answer(&question), Some(numbers(&question.answer)), "{}", question.text);
            assert!(Feedback::of(&question, &Answer::Text(question.answer.clone())).is_right());
            kinds.insert(question.text.clone());
        }
        assert!(kinds.len() > 45, "level {level} repeats itself");
    }
    assert!(random(1, 9).to_string().contains("there is no level 9"));
}

/// Web pages answer random questions by arithmetic, notebooks with libtorch: both give the same questions.
#[test]
fn the_arithmetic_and_libtorch_agree_on_random_questions() {
    use nchw_core::quiz::random::{arithmetic, question};
    for seed in 0..200 {
        let level = 1 + (seed % 4) as u8;
        let (ours, torch) =
            (question(seed, level, arithmetic).unwrap(), random_question(seed, level).unwrap());
        assert_eq!((&ours.text, &ours.answer), (&torch.text, &torch.answer));
    }
}

/// Every possible feedback, for reading through. `UPDATE_EXPECT=1` updates the file.
#[test]
fn feedback_reads_as_agreed() {
    let mut text = String::new();
    for question in all().iter() {
        text += &format!("== {}\n", Quiz(Ok(question.clone())));
        text += &format!(
            "-- {} :: {}\n",
            question.typed(),
            on_one_line(&feedback_on(question, &question.answer))
        );
        for answer in wrong_answers(question) {
            text += &format!("-- {answer} :: {}\n", on_one_line(&feedback_on(question, &answer)));
        }
        text += "\n";
    }
    for id in ["conv3", "one2", "a1", "a2", "b2", "c1", "a4", "e1", "why1", "pool3", "pad2"] {
        let question = quiz(id).0.unwrap();
        text += &format!("== nonsense for {id}\n");
        for answer in nonsense() {
            text += &format!("{}\n", Feedback::of(&question, &answer));
        }
        text += "\n";
    }
    for id in ["b22", "", "B2", "conv", "전치", "random-1-9", "random-x-1"] {
        text += &format!("== quiz(\"{id}\")\n{}\n\n", quiz(id));
    }
    for id in ["conv3", "b2", "c3", "dilate4", "params5", "field4", "one2", "e1", "chan1", "stride7"] {
        text += &format!("== explained\n{}\n\n", quiz(id).explain());
    }
    for (seed, level) in [(1, 1), (2, 2), (3, 3), (4, 4)] {
        let question = random(seed, level).0.unwrap();
        text += &format!("== {}\n", Quiz(Ok(question.clone())));
        for answer in wrong_answers(&question) {
            text += &format!("-- {answer} :: {}\n", on_one_line(&feedback_on(&question, &answer)));
        }
    }
    crate::testing::as_kept("quiz/feedback.txt", &text);
}

/// A minimal page for the forms' script.
struct Page {
    context: rquickjs::Context,
}

impl Page {
    fn new() -> Page {
        let context = rquickjs::Context::full(&rquickjs::Runtime::new().unwrap()).unwrap();
        context.with(|js| js.eval::<(), _>(include_str!("../../tests/quiz/page.js")).unwrap());
        Page { context }
    }

    /// Shows one form.
    fn open(&self, question: &Arc<Question>) {
        let html = Form::of(vec![Ok(question.clone())]).html();
        self.context.with(|js| {
            let open: rquickjs::Function = js.globals().get("open").unwrap();
            assert_eq!(open.call::<_, usize>((html,)).unwrap(), 1);
            js.eval::<(), _>(include_str!("form.js")).unwrap();
        });
    }

    /// The form's feedback on these values of its fields, or on these letters.
    fn answer(&self, values: &[String]) -> Vec<String> {
        let lines: String = self.context.with(|js| {
            let answer: rquickjs::Function = js.globals().get("answer").unwrap();
            answer.call((serde_json::json!(values).to_string(),)).unwrap()
        });
        serde_json::from_str(&lines).unwrap()
    }
}

/// The script on the page grades like `grade.rs`.
#[test]
fn the_form_grades_as_the_grader() {
    let (page, mut right, mut wrong, mut unclear) = (Page::new(), 0, 0, 0);
    let made = (0..24).map(|seed| Arc::new(random_question(seed, 1 + (seed % 4) as u8).unwrap()));
    for question in all().iter().cloned().chain(made) {
        let answers = match question.ask {
            Ask::Letters => subsets(&question.options),
            _ => answers_in_fields(&question),
        };
        page.open(&question);
        for fields in answers {
            let graded = feedback_on(&question, &fields.join(" "));
            let lines = page.answer(&fields);
            let about = format!("{} answered with {fields:?}\n{graded}\nThe form: {lines:?}", question.id);
            assert_eq!(lines[0] == "✓ Right.", graded.is_right(), "{about}");
            match graded.verdict() {
                Verdict::Right => right += 1,
                Verdict::Unclear => {
                    unclear += 1;
                    let why = graded.to_string();
                    for reason in ["a count cannot be negative", "it must be at least 1", "out of range"] {
                        assert!(!why.contains(reason) || lines.concat().contains(reason), "{about}");
                    }
                }
                Verdict::Wrong => {
                    wrong += 1;
                    let said: Vec<String> =
                        graded.to_string().lines().skip(1).map(|line| line.trim().into()).collect();
                    let letters = if question.parts().is_empty() { graded.marks().len() } else { 0 };
                    let (_, said) = said.split_last().unwrap();
                    let shown = if letters > 0 { &lines[2..] } else { &lines[1..] };
                    assert_eq!(&said[letters..], shown, "{about}");
                }
            }
        }
    }
    assert!(right > 200 && wrong > 1500 && unclear > 500, "{right} right, {wrong} wrong, {unclear} unclear");
}

/// Every choice of letters.
fn subsets(options: &[Choice]) -> Vec<Vec<String>> {
    let chosen = |bits: usize| {
        let chosen = options.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
        chosen.map(|(_, option)| option.letter.to_string()).collect()
    };
    (0..1 << options.len()).map(chosen).collect()
}

/// The right answer, every known wrong one, and nonsense in each field.
fn answers_in_fields(question: &Question) -> Vec<Vec<String>> {
    let truth: Vec<i64> = question.parts().iter().map(|part| part.truth).collect();
    let typed = |numbers: &[i64]| numbers.iter().map(i64::to_string).collect::<Vec<_>>();
    let known = wrong_answers(question).into_iter().map(|wrong| numbers(&wrong));
    let known = known.filter(|wrong| wrong.len() == truth.len()).map(|wrong| typed(&wrong));
    let mut answers: Vec<Vec<String>> = [typed(&truth)].into_iter().chain(known).collect();
    answers.push(truth.iter().map(|number| format!(" +{number} ")).collect());
    answers.push(vec![String::new(); truth.len()]);
    for index in 0..truth.len() {
        let more = [truth[index] + 1, truth[index] - 1, truth[index] + 1_000_003, 0, -1, i64::MAX, i64::MIN];
        let nonsense =
            ["", "abc", "3.5", "1e3", "0x10", "99999999999999999999", "-99999999999999999999", "NaN", "１２"];
        let all = more.iter().map(i64::to_string).chain(nonsense.map(String::from));
        answers.extend(all.map(|text| {
            let mut fields = typed(&truth);
            fields[index] = text;
            fields
        }));
    }
    answers
}

fn feedback_on(question: &Question, answer: &str) -> Feedback {
    Feedback::of(question, &Answer::Text(answer.into()))
}

/// Only the wrong parts, and why.
fn on_one_line(feedback: &Feedback) -> String {
    let lines: Vec<String> = feedback
        .to_string()
        .lines()
        .skip(1)
        .map(str::trim)
        .filter(|line| !["✓", "A hint:", "The arithmetic:"].iter().any(|start| line.starts_with(start)))
        .map(String::from)
        .collect();
    if feedback.is_right() { "right".into() } else { lines.join(" / ") }
}

/// Every answer that a misconception leads to.
fn wrong_answers(question: &Question) -> Vec<String> {
    let truth: Vec<i64> = question.parts().iter().map(|part| part.truth).collect();
    let mut answers: Vec<String> = question.wrong.iter().map(|wrong| wrong.answer.clone()).collect();
    for slip in slips::slips(question) {
        let mut answer = truth.clone();
        match slip.at {
            slips::At::Part(index, value) => answer[index] = value,
            slips::At::Any(index) => answer[index] += 7,
            slips::At::All(_) if matches!(question.ask, Ask::Letters) => continue,
            slips::At::All(numbers) => answer = numbers,
        }
        let text: Vec<String> = answer.iter().map(i64::to_string).collect();
        let text = text.join("x");
        if !answers.contains(&text) {
            answers.push(text);
        }
    }
    answers
}

fn nonsense() -> Vec<Answer> {
    let numbers =
        [vec![], vec![-3i128], vec![0], vec![5, 0], vec![2, 3, 4], vec![0, 1, -2, 3], vec![32, 20, 10, 3, 3]];
    let texts =
        ["", "   ", "no idea", "3x", "3xq", "3.5x2", "N", "채", "-1x2x3x4", "99999999999999999999", "X Y"];
    let mut all: Vec<Answer> = numbers.into_iter().map(Answer::Numbers).collect();
    all.extend([i64::MAX.into_answer(), u64::MAX.into_answer()]);
    all.extend([2.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, 9.3e18].map(f64::into_answer));
    all.extend(texts.map(|text| Answer::Text(text.into())));
    all
}

/// No id and no answer makes a quiz panic.
mod any {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

        #[test]
        fn answer_is_read_or_refused(
            pick in 0..all().len(),
            bytes in prop::collection::vec(any::<u8>(), 0..40),
            text in "([0-9]{0,25}|[NCHWF개채]|[-+.x×*,;=() e]|NaN|inf){0,9}",
            numbers in prop::collection::vec(any::<i128>(), 0..6),
            float in any::<f64>(),
        ) {
            let question = &all()[pick];
            let bytes = String::from_utf8_lossy(&bytes).into_owned();
            for answer in [text.into_answer(), bytes.into_answer(), Answer::Numbers(numbers), float.into_answer()] {
                let feedback = Feedback::of(question, &answer);
                prop_assert!(!feedback.to_string().is_empty() && feedback.marks().len() < 10);
            }
        }

        #[test]
        fn id_is_known_or_named(id in "(random-)?[\\PC]{0,12}(-[0-9]{0,3})?", seed in any::<u64>(), level in any::<u8>()) {
            let known = quiz(&id);
            prop_assert!(!known.to_string().is_empty() && !known.form().html().is_empty());
            prop_assert!(!known.explain().to_string().is_empty());
            prop_assert_eq!(random(seed, level).ok().is_ok(), (1..=4).contains(&level));
        }

        #[test]
        fn sheet_is_made_or_refused(seed in any::<u64>(), count in prop_oneof![0usize..4, 95usize..110, Just(usize::MAX)]) {
            match sheet(seed, count) {
                Ok(sheet) => prop_assert!(!sheet.html().is_empty() && !sheet.key_markdown().is_empty()),
                Err(error) => prop_assert!(!(1..=200).contains(&count), "{error}"),
            }
        }
    }
}
