//! A folder of photos as a data set, one folder per class; and data sets as folders of PNG files.

mod corner;
mod examples;
mod list;
mod notes;
mod read;
mod settings;
mod split;
#[cfg(test)]
mod tests;
mod write;

pub use settings::FolderSettings;
