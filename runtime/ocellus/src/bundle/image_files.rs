//! The image encoder's files: one for all resolutions, or one for each where something in it belongs to a size, as the
//! position embedding of a vision transformer does.

use super::{BundleError, check::require};
use serde::Deserialize;

/// `file = "image.onnx"`, or `file = ["image-224.onnx", "image-336.onnx"]`, one a resolution in their order.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
pub enum ImageFiles {
    /// One model, which takes every resolution.
    One(String),
    /// A model for each resolution.
    Each(Vec<String>),
}

impl ImageFiles {
    /// The file of the resolution with this index.
    pub fn at(&self, index: usize) -> &str {
        match self {
            ImageFiles::One(file) => file,
            ImageFiles::Each(files) => files.get(index).map_or("", |file| file),
        }
    }

    /// Every file.
    pub fn all(&self) -> &[String] {
        match self {
            ImageFiles::One(file) => std::slice::from_ref(file),
            ImageFiles::Each(files) => files,
        }
    }

    /// # Errors
    /// [`BundleError::Manifest`] where there is not one a resolution.
    pub(super) fn check(&self, resolutions: usize) -> Result<(), BundleError> {
        let ImageFiles::Each(files) = self else {
            return Ok(());
        };
        require("image.file", files.len() == resolutions, || {
            let expected = format!("one file, or {resolutions}, one a resolution");
            (expected, files.len().to_string())
        })
    }
}
