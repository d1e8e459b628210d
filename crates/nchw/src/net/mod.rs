//! Networks: the lecture's network for CIFAR-10, two small ones, and their weight files.

mod figures;
mod lecture;
mod milestones;
pub(crate) mod small_net;
pub(crate) mod weights;

pub use crate::lecture::{CLASSES, LectureNetConfig, MEAN, STD};
pub use lecture::LectureNet;
pub(crate) use lecture::{check_output, in_line, is_head, owned, with_gap};
pub use milestones::{Milestone, Milestones};
pub use small_net::SmallNet;
