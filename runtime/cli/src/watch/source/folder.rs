//! A folder of pictures, in the order of their names, each once.

use super::{Missing, Next, Sight, SourceError};
use crate::inputs::{self, Input};
use ocellus::vision::{DecodeLimits, decode};
use std::{path::Path, vec};

/// Pictures that are not read yet.
pub struct Folder {
    name: String,
    count: usize,
    rest: vec::IntoIter<Input>,
    limits: DecodeLimits,
    number: u64,
}

impl Folder {
    pub fn open(path: &Path, limits: DecodeLimits) -> Result<Folder, SourceError> {
        let pictures = inputs::expand(&[path.to_owned()])
            .map_err(|error| SourceError::Folder(format!("{error:#}")))?;
        Ok(Folder {
            name: path.display().to_string(),
            count: pictures.len(),
            rest: pictures.into_iter(),
            limits,
            number: 0,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn describe(&self) -> String {
        format!("{}, {} pictures", self.name, self.count)
    }

    pub fn next(&mut self, show: &mut dyn FnMut(Sight<'_>)) -> Result<Next, SourceError> {
        let Some(input) = self.rest.next() else {
            return Ok(Next::End);
        };
        let number = self.number;
        self.number += 1;
        let image = input.name();
        Ok(match self.show(&input, number, &image, show) {
            Ok(()) => Next::Shown,
            Err(error) => Next::Failed(Missing {
                number,
                image,
                error,
            }),
        })
    }

    fn show(
        &self,
        input: &Input,
        number: u64,
        image: &str,
        show: &mut dyn FnMut(Sight<'_>),
    ) -> Result<(), SourceError> {
        let bytes = input
            .read(self.limits.bytes)
            .map_err(|error| SourceError::Folder(format!("{error:#}")))?;
        let picture = decode(&bytes, &self.limits).map_err(SourceError::Picture)?;
        let frame = picture.frame().map_err(|frame| SourceError::Frame {
            name: image.to_owned(),
            frame,
        })?;
        show(Sight {
            frame,
            number,
            image,
            warnings: picture.warnings.iter().map(ToString::to_string).collect(),
        });
        Ok(())
    }
}
