//! The network around one image: a drawing of its blocks, and its ten scores.

mod drawing;
mod scores;
