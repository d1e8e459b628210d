//! The program `nchw`: its standard output, error output and exit code.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod common;

use common::{PHOTO, WEIGHTS, ran};
use std::{fs, os::unix::fs::symlink, process::Command};
use tempfile::tempdir;

/// 300 images in CIFAR-10's binary format.
const ALBUM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/album/cifar10-test-300.bin");

/// Standard output, error output and exit code.
fn nchw(args: &[&str]) -> (String, String, i32) {
    ran(Command::new(env!("CARGO_BIN_EXE_nchw")).args(args))
}

#[test]
fn shapes_prints_the_table_of_quizzes_a_to_c() {
    let (out, err, code) = nchw(&["shapes", "32x3x7x7", "conv 10 3x3; conv 20 3x3"]);
    let table = "\
layer        개 N  채 C  행 H  열 W     weight  parameters  multiply-adds  sees (H x W)
input          32     3     7     7
conv 10 3x3    32    10     5     5   10x3x3x3         280        216,000           3x3
conv 20 3x3    32    20     3     3  20x10x3x3       1,820        518,400           5x5
total                                                2,100        734,400
activations: 55,040 bytes
";
    assert_eq!((out.as_str(), err.as_str(), code), (table, "", 0));
}

#[test]
fn layers_that_do_not_fit_print_the_rows_before_and_exit_with_1() {
    let (out, err, code) = nchw(&["shapes", "3x7x9", "conv 10 3x3; conv 3->20 3x3; flatten"]);
    let table = "\
layer        개 N  채 C  행 H  열 W    weight  parameters  multiply-adds  sees (H x W)
input           1     3     7     9
conv 10 3x3     1    10     5     7  10x3x3x3         280          9,450           3x3
total                                                 280          9,450
activations: 1,400 bytes
";
    let problem = "
layer 2, `conv 3->20 3x3`, does not fit on C=10 H=5 W=7
  axis C (channels): expected 10 (a filter must have as many channels as its input), got 3
  likely cause: these are the channels of an earlier layer, not those of the layer directly before
  instead: 10, or omit the number: the input determines it; `conv 10->20 3x3` would fit
";
    assert_eq!((out.as_str(), err.as_str(), code), (table, problem, 1));
}

#[test]
fn unreadable_text_prints_its_position_and_exits_with_2() {
    let (out, err, code) = nchw(&["shapes", "3x7x7", "conv 10 3x3; cnov 20 3x3"]);
    let message = "\
nchw: the layers: line 1, column 14: there is no layer `cnov`: did you mean `conv`?
  conv 10 3x3; cnov 20 3x3
               ^^^^
";
    assert_eq!((out.as_str(), err.as_str(), code), ("", message, 2));
    let (out, err, code) = nchw(&["shapes", "3x7xq", "relu", "--json"]);
    let message = "nchw: the input: line 1, column 5: expected a number, found `q`\n  3x7xq\n      ^\n";
    assert_eq!((out.as_str(), err.as_str(), code), ("", message, 2));
}

#[test]
fn json_has_the_same_content_and_exit_codes() {
    let (out, err, code) = nchw(&["shapes", "--json", "3x7x9", "conv 10 3x3 stride 2"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["rows"][0]["output"], serde_json::json!([10, 3, 4]));
    assert_eq!(json["problem"], serde_json::Value::Null);
    assert_eq!((err.as_str(), code), ("", 0));
    let (out, err, code) = nchw(&["shapes", "3x2x9", "relu; conv 10 3x3", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["rows"].as_array().unwrap().len(), 1);
    assert_eq!(json["problem"]["position"], 2);
    assert_eq!((err.as_str(), code), ("", 1));
}

#[test]
fn help_lists_the_layers_and_a_missing_argument_is_named() {
    let (out, _, code) = nchw(&["shapes", "--help"]);
    for word in ["3x7x7", "conv 10 3x5", "padding same", "Exit code"] {
        assert!(out.contains(word), "{word} is not in:\n{out}");
    }
    assert_eq!(code, 0);
    let (out, err, code) = nchw(&["shapes", "3x7x7"]);
    assert!(out.is_empty() && err.contains("<LAYERS>"), "{err}");
    assert_eq!(code, 2);
    assert_eq!(nchw(&[]).2, 2);
}

#[test]
fn a_sheet_and_its_key_have_the_same_questions() {
    let sheet = |more: &[&str]| nchw(&[&["quiz", "sheet", "--seed", "7", "--count", "3"], more].concat());
    let (questions, _, code) = sheet(&[]);
    assert!(questions.contains("(sheet 7)") && questions.contains("\n3. "), "{questions}");
    let (answers, _, _) = sheet(&["--key"]);
    assert!(answers.starts_with("# Answers to sheet 7") && answers.contains("\n3. **"), "{answers}");
    let (page, _, _) = sheet(&["--html", "--key"]);
    assert!(page.starts_with("<!doctype html>") && page.matches("<li><p><b>").count() == 3, "{page}");
    assert_eq!((code, sheet(&[]).0), (0, questions));
    let (out, err, code) = nchw(&["quiz", "sheet", "--count", "0"]);
    let message = "nchw: a sheet has from 1 to 200 questions, got 0\n";
    assert_eq!((out.as_str(), err.as_str(), code), ("", message, 2));
}

/// `nchw see` for every value of `--what`.
#[test]
fn see_writes_a_slide_of_each_kind() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("x.png");
    let out = out.to_str().unwrap();
    let see = |args: &[&str]| nchw(&[&["see", "--image", PHOTO, "--out", out], args].concat());
    for what in ["maps", "sum", "gradcam", "filters", "semantic", "answer", "blocks", "occlusion", "compare"]
    {
        let (text, err, code) = see(&["--weights", WEIGHTS, "--what", what]);
        assert_eq!((err.as_str(), code), ("", 0), "{what}");
        let size = image::image_dimensions(out).unwrap();
        assert!(text.contains(&format!("{} x {} pixels", size.0, size.1)) && size.0 > 1000, "{what}: {text}");
        fs::remove_file(out).unwrap();
    }
    let (text, _, code) = see(&["--what", "sum", "--fit", "whole", "--layer", "block2"]);
    assert!(text.contains("maps, but no answer") && code == 0, "{text}");
    for (args, why) in [
        (&["--what", "gradcam", "--fit", "whole"] as &[_], "there is no answer for an image of 300 x 451"),
        (&["--what", "gradcam", "--class", "lion"], "expected one of airplane"),
        (&["--what", "maps", "--layer", "block7"], "block2.conv3"),
        (&["--weights", PHOTO], "not a whole safetensors file"),
    ] {
        let (text, err, code) = see(args);
        assert_eq!((text.as_str(), code), ("", 2), "{args:?}");
        assert!(err.contains(why), "{args:?}: {err}");
    }
    let jpeg = folder.path().join("x.jpg");
    let (_, err, code) = nchw(&["see", "--image", PHOTO, "--out", jpeg.to_str().unwrap()]);
    assert!(err.contains("saved as PNG") && code == 2, "{err}");
}

/// `nchw play` writes one page with both figures, and overwrites only its own pages.
#[test]
fn play_writes_a_page_of_its_own() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let page = at("page.html");
    for _ in 0..2 {
        let (text, err, code) = nchw(&["play", PHOTO, "--out", &page]);
        assert_eq!((text.as_str(), err.as_str(), code), (&*format!("{page}: open it in a browser\n"), "", 0));
    }
    let written = fs::read_to_string(&page).unwrap();
    assert!(written.contains("data-figure=\"filter\"") && written.contains("data-figure=\"explorer\""));
    assert!(written.len() < 2_000_000, "{}", written.len());
    fs::write(at("mine.html"), "mine").unwrap();
    fs::copy(PHOTO, at("photo.html")).unwrap();
    for (photo, out, why) in [
        (PHOTO, "mine.html", "a file that the course has not written"),
        (PHOTO, "page.png", "expected a name like \"figure.html\""),
        (&*at("photo.html"), "photo.html", "itself, which would be overwritten"),
        (WEIGHTS, "page.html", "is not a readable image"),
    ] {
        let (text, err, code) = nchw(&["play", photo, "--out", &at(out)]);
        assert_eq!((text.as_str(), code), ("", 2), "{out}");
        assert!(err.contains(why), "{out}: {err}");
    }
    assert_eq!(fs::read_to_string(at("mine.html")).unwrap(), "mine");
}

/// The output never overwrites the photo or the weights, under any spelling of their names.
#[test]
fn see_overwrites_an_older_output_but_never_an_input() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (photo, weights) = (fs::read(PHOTO).unwrap(), fs::read(WEIGHTS).unwrap());
    fs::write(at("self.png"), &photo).unwrap();
    fs::write(at("weights.png"), &weights).unwrap();
    symlink("self.png", at("link.png")).unwrap();
    fs::hard_link(at("self.png"), at("twin.png")).unwrap();
    let see = |image: &str, out: &str| {
        let (image, weights, out) = (at(image), at("weights.png"), at(out));
        nchw(&["see", "--weights", &weights, "--image", &image, "--what", "answer", "--out", &out])
    };
    let name = folder.path().file_name().unwrap().to_str().unwrap();
    for (image, out) in [
        ("self.png", "self.png"),
        ("self.png", &*format!("../{name}/self.png")),
        ("self.png", "link.png"),
        ("link.png", "self.png"),
        ("self.png", "twin.png"),
        ("self.png", "weights.png"),
    ] {
        let (text, err, code) = see(image, out);
        assert_eq!((text.as_str(), code), ("", 2), "{image} to {out}");
        assert!(err.contains("itself, which would be overwritten: choose another name"), "{err}");
    }
    for name in ["self.png", "link.png", "twin.png"] {
        assert!(fs::read(at(name)).unwrap() == photo, "{name} has changed");
    }
    assert!(fs::read(at("weights.png")).unwrap() == weights);
    for _ in 0..2 {
        assert_eq!(see("self.png", "figure.png").2, 0);
    }
}

/// Weights for two other classes, written into a folder.
fn own_weights(folder: &std::path::Path) -> String {
    let file = folder.join("my.safetensors");
    let net = nchw::net::LectureNet::shipped().unwrap().with_classes(["고양이", "pagoda"]).unwrap();
    net.save(&file).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn classify_prints_the_classes_of_the_weight_file_with_their_probabilities() {
    let (out, err, code) = nchw(&["classify", PHOTO]);
    assert!(out.starts_with(&format!("{PHOTO}: cat ")) && out.ends_with(" %\n"), "{out}");
    assert_eq!((out.lines().count(), out.matches(" %").count(), err.as_str(), code), (1, 10, "", 0));
    let folder = tempdir().unwrap();
    let weights = own_weights(folder.path());
    let copy = folder.path().join("내 사진.png");
    fs::copy(PHOTO, &copy).unwrap();
    let (out, err, code) = nchw(&["classify", "--weights", &weights, PHOTO, copy.to_str().unwrap()]);
    assert_eq!((out.lines().count(), err.as_str(), code), (2, "", 0));
    assert_eq!((out.matches("고양이").count(), out.matches("pagoda").count()), (2, 2), "{out}");
    let (out, err, code) = nchw(&["classify", "--json", "--weights", &weights, PHOTO]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((json[0]["file"].as_str(), err.as_str(), code), (Some(PHOTO), "", 0));
    let shares = json[0]["probabilities"].as_object().unwrap();
    let sum: f64 = shares.values().map(|share| share.as_f64().unwrap()).sum();
    assert!(shares.len() == 2 && (sum - 1.0).abs() < 1e-5, "{out}");
    let most = shares.iter().max_by(|a, b| a.1.as_f64().partial_cmp(&b.1.as_f64()).unwrap()).unwrap().0;
    assert_eq!(json[0]["class"].as_str(), Some(most.as_str()));
}

#[test]
fn classify_names_unreadable_photos_and_classifies_the_others() {
    let folder = tempdir().unwrap();
    let weights = own_weights(folder.path());
    let (text, missing) = (folder.path().join("text.png"), folder.path().join("none.png"));
    fs::write(&text, "not an image").unwrap();
    let [text, missing, here] = [&text, &missing, folder.path()].map(|path| path.to_str().unwrap());
    let (out, err, code) = nchw(&["classify", text, missing, here, PHOTO]);
    assert!(out.lines().count() == 1 && out.starts_with(PHOTO), "{out}");
    assert_eq!(code, 2);
    for words in [
        format!("nchw: {text} is not a readable image"),
        format!("could not open {missing}"),
        format!("{here} is a folder: expected image files, as in `nchw classify {here}/*.jpg`"),
    ] {
        assert!(err.contains(&words), "expected `{words}` in {err}");
    }
    let (out, _, code) = nchw(&["classify", "--json", text, PHOTO]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(json[0]["error"].as_str().unwrap().contains("not a readable image"), "{out}");
    assert_eq!((json[1]["class"].as_str(), code), (Some("cat"), 2));
    let (_, err, code) = nchw(&["classify"]);
    assert!(err.contains("<PHOTOS>...") && code == 2, "{err}");
    let (_, err, code) = nchw(&["classify", "--weights", missing, PHOTO]);
    assert!(err.contains("could not be read") && code == 2, "{err}");
    // The other commands for networks know the classes, too.
    let (_, err, code) = nchw(&["eval", "--weights", &weights, "--batch", ALBUM]);
    assert!(
        err.contains("is a network for 고양이, pagoda, and CIFAR-10 has other classes") && code == 2,
        "{err}"
    );
    let out = folder.path().join("x.png");
    let see =
        ["see", "--weights", &weights, "--image", PHOTO, "--what", "gradcam", "--class", "dog", "--out"];
    let (_, err, code) = nchw(&[&see[..], &[out.to_str().unwrap()]].concat());
    assert!(err.contains("there is no class `dog`: expected one of 고양이, pagoda") && code == 2, "{err}");
}
