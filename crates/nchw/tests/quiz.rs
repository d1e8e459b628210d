//! The quizzes as learners use them: progress, hints, unusual answers.
//!
//! One test in a file of its own: the whole process has one progress file.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod common;

use common::TempFolder;
use nchw::quiz::{self, Verdict, quiz};
use std::{env, fs};

#[test]
fn answers_and_hints_are_stored_and_deleted() {
    let folder = TempFolder::new("quiz");
    let file = folder.path().join("deep").join("progress.json");
    // SAFETY: no other thread of this process reads or changes the environment now.
    unsafe { env::set_var("NCHW_PROGRESS", &file) };

    every_kind_of_answer_is_taken();
    hints_come_one_at_a_time();
    another_kernel_sees_it(&file);
    a_damaged_file_is_named(&file);
    deleted(&file);
    a_file_that_cannot_be_written_is_reported_once(&file);
}

fn every_kind_of_answer_is_taken() {
    let b2 = quiz("b2");
    let wrong = b2.answer([20, 3, 3, 3]);
    assert!(!wrong.is_right() && wrong.to_string().contains("the image had 3 channels"), "{wrong}");
    assert_eq!(wrong.marks().iter().map(|mark| mark.right).collect::<Vec<_>>(), [true, false, true, true]);
    assert!(b2.answer([20, 10, 3, 3]).is_right());
    assert!(b2.answer(vec![20i64, 10, 3, 3]).is_right());
    assert!(b2.answer(&[20u64, 10, 3, 3][..]).is_right());
    assert!(b2.answer((20, 10, 3, 3)).is_right());
    assert!(b2.answer("20x10x3x3").is_right() && b2.answer("[20, 10, 3, 3]").is_right());
    assert!(b2.answer("N=20 C=10 H=3 W=3").is_right());
    assert!(quiz("chan1").answer(75).is_right() && quiz("chan1").answer(75.0).is_right());
    assert!(quiz("e1").answer("N, H, W").is_right() && quiz("e1").answer("개 행 열").is_right());
    assert!(quiz("why1").answer('F').is_right());
    assert_eq!(b2.answer([-1, 10, 3, 3]).verdict(), Verdict::Unclear);
    assert_eq!(quiz("nothing").answer(3).verdict(), Verdict::Unclear);
    assert!(quiz("nothing").ok().unwrap_err().to_string().contains("there is no quiz `nothing`"));
    assert!(quiz::random(7, 2).answer(1).verdict() != Verdict::Right);
}

fn hints_come_one_at_a_time() {
    let texts: Vec<String> = (0..4).map(|_| quiz("b2").hint().to_string()).collect();
    for (n, text) in texts[..3].iter().enumerate() {
        assert!(text.starts_with(&format!("Hint {} of 3", n + 1)), "{text}");
    }
    assert!(texts[3].contains("all hints") && texts[3].contains("explain()"), "{}", texts[3]);
    assert!(quiz("b2").explain().to_string().contains("N = 20 filters"));
}

fn another_kernel_sees_it(file: &std::path::Path) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains("\"b2\"") && text.contains("\"hints\": 4"), "{text}");
    // What another kernel wrote meanwhile stays.
    fs::write(file, text.replace("\"b2\"", "\"b4\"")).unwrap();
    quiz("b1").answer(10);
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains("\"b4\"") && text.contains("\"b1\""), "{text}");
    let progress = quiz::progress().to_string();
    assert!(progress.contains("channels") && progress.contains("4 of 18"), "{progress}");
}

fn a_damaged_file_is_named(file: &std::path::Path) {
    fs::write(file, "not json").unwrap();
    let feedback = quiz("a1").answer(3);
    assert!(feedback.is_right() && feedback.to_string().contains("progress.json.damaged-1"), "{feedback}");
    assert_eq!(fs::read_to_string(file.with_file_name("progress.json.damaged-1")).unwrap(), "not json");
    assert!(!quiz("a1").answer(3).to_string().contains("damaged"));
}

fn deleted(file: &std::path::Path) {
    assert!(quiz::reset().to_string().contains("deleted"));
    assert_eq!(fs::read_to_string(file).unwrap(), "{}\n");
    assert!(quiz("b2").hint().to_string().starts_with("Hint 1 of 3"));
}

/// There is a file in place of the folder, so that not even root can write there.
fn a_file_that_cannot_be_written_is_reported_once(file: &std::path::Path) {
    // SAFETY: as above.
    unsafe { env::set_var("NCHW_PROGRESS", file.join("below").join("progress.json")) };
    let first = quiz("a1").answer(3);
    assert!(first.is_right() && first.to_string().contains("until this kernel ends"), "{first}");
    let second = quiz("a2").answer([5, 5]);
    assert!(second.is_right() && !second.to_string().contains("until this kernel ends"), "{second}");
    assert!(quiz::progress().to_string().contains("2 of 18"), "{}", quiz::progress());
}
