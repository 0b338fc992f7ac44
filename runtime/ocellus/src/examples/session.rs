//! Teaching a session: what it is taught counts from the next frame on.

use super::{Blend, Examples, KeyCache};
use crate::{
    error::Error,
    reading::{Reader, Reading},
    session::Session,
    words::Words,
};
use ocellus_vision::{CropMode, Frame, decode};

impl Session {
    /// Teaches a label by a frame: one encoding at [`Examples::resolution`]. The label is one of the session's from now
    /// on, behind those that were set if it is none of them. By how many examples it is taught then is returned; a frame
    /// that taught it before is not counted twice. On an error nothing was taught.
    ///
    /// The frame is seen as the session sees frames; of tiles, the square in the middle. A label whose words the
    /// vocabulary does not know is fine: it stands where its examples do.
    ///
    /// # Errors
    /// [`Error::Language`] for a label that is empty, too long or has control characters; [`Error::Examples`] for a
    /// frame that teaches another label, and for one too many; [`Error::Encoder`], [`Error::NotFinite`],
    /// [`Error::Memory`].
    pub fn teach(&mut self, label: &str, frame: &Frame<'_>) -> Result<usize, Error> {
        let features = self.features(frame)?;
        let engine = &self.engine;
        let taught = &self.asked.taught;
        let Some(lesson) = taught.lesson(engine, label, &features)? else {
            let mut labels = taught.examples().labels();
            let known = labels.find(|(known, _)| *known == label.trim());
            return Ok(known.map_or(0, |(_, count)| count));
        };
        let relevance = self.asked.blocks.is_some();
        let words = Words::with(
            engine,
            self.asked.words.as_ref(),
            taught.texts_with(&lesson),
            relevance,
        )?;
        engine.room("an example")?;
        self.asked.words = words;
        self.kept.attention.forget();
        Ok(self.asked.taught.learn(self.engine.isa(), lesson))
    }

    /// [`Session::teach`] by an encoded picture (JPEG, PNG, ...).
    ///
    /// # Errors
    /// [`Error::Decode`], and those of [`Session::teach`].
    pub fn teach_picture(&mut self, label: &str, bytes: &[u8]) -> Result<usize, Error> {
        let picture = decode(bytes, &self.options.limits)?;
        self.teach(
            label,
            &Frame::rgb(picture.width, picture.height, &picture.rgb)?,
        )
    }

    /// Forgets what a label was taught by, and says by how many examples that was. The label goes too, unless it was
    /// set.
    ///
    /// # Errors
    /// [`Error::Examples`] for a label that was not taught; [`Error::Memory`], and nothing was forgotten.
    pub fn forget(&mut self, label: &str) -> Result<usize, Error> {
        let mut examples = self.examples().clone();
        let count = examples.forget(label)?;
        self.set_examples(&examples)?;
        Ok(count)
    }

    /// What the session was taught; [`Examples::to_bytes`] keeps it.
    pub fn examples(&self) -> &Examples {
        self.asked.taught.examples()
    }

    /// How examples count beside words.
    pub fn blend(&self) -> Blend {
        self.asked.taught.blend()
    }

    /// Puts other examples in the place of what was taught. On an error those before stay.
    ///
    /// # Errors
    /// [`Error::Examples`] where they are of another bundle, [`Error::NotFinite`], [`Error::Memory`].
    pub fn set_examples(&mut self, examples: &Examples) -> Result<(), Error> {
        let (expected, got) = (self.engine.bundle().sha256(), examples.bundle());
        if expected != got {
            return Err(super::ExamplesError::OtherBundle {
                expected: expected.into(),
                got: got.into(),
            }
            .into());
        }
        let taught = KeyCache::of(
            &self.engine,
            self.asked.taught.prompting().clone(),
            examples,
        )?;
        let relevance = self.asked.blocks.is_some();
        let words = Words::with(
            &self.engine,
            self.asked.words.as_ref(),
            taught.texts(),
            relevance,
        )?;
        self.engine.room("examples")?;
        self.asked.words = words;
        self.asked.taught = taught;
        self.kept.attention.forget();
        Ok(())
    }

    /// Pooled features of a frame, at the resolution of examples.
    fn features(&self, frame: &Frame<'_>) -> Result<Vec<f32>, Error> {
        let crop = match self.options.crop {
            CropMode::Tiles | CropMode::Auto => CropMode::Centre,
            crop => crop,
        };
        let fraction = self.engine.bundle().manifest().image.crop_fraction;
        let mut reading = Reading::default();
        Reader::new(crop, fraction).read(frame, &mut reading);
        let side = self.examples().resolution();
        let rgb = reading.pictures()[0].resize(side as usize);
        let (_, features) = self.engine.encode(side, &rgb)?;
        self.engine.room("a frame")?;
        Ok(features)
    }
}
