//! The arithmetic and the texts of the quizzes: questions, grading, feedback.
//!
//! The questions are in `questions/*.toml`, one file per topic.

pub mod answer;
pub mod explain;
pub mod feedback;
pub mod grade;
pub mod question;
pub mod questions;
pub mod random;
pub mod slips;
pub mod texts;
