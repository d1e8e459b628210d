//! Networks: the lecture's network for CIFAR-10, two small ones, and their weight files.

mod lecture;
pub mod shuffle;
pub mod small_net;
pub(crate) mod weights;

pub use lecture::{CLASSES, LectureNet, LectureNetConfig, MEAN, STD};
pub(crate) use lecture::{channels_last, check_output, in_line, is_head, with_gap};
