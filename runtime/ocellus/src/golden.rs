//! Golden vectors: does this machine compute what the recipe computed?
//!
//! Wrong pixels are the commonest silent fault in this field. The bundle carries a small picture, a few prompts, and the
//! vectors that the recipe got from them; they go through the very stages that frames and labels go through.

use crate::{
    bundle::Tensors,
    engine::{Embedded, Engine},
    error::Error,
    heads::cosine,
};
use ocellus_vision::{CropMode, DecodeLimits, Frame, Intermediate, decode, views};

/// One golden vector, computed again.
#[derive(Clone, Debug)]
pub struct GoldenCheck {
    /// `image.224`, `text "a cat"`.
    pub name: String,
    /// Cosine to the recipe's vector.
    pub cosine: f32,
    /// The least cosine that counts as the same.
    pub least: f32,
}

impl GoldenCheck {
    /// Whether the vector counts as the same.
    pub fn passes(&self) -> bool {
        self.cosine >= self.least
    }
}

impl Engine {
    /// Decodes, resizes, encodes and embeds a picture at a resolution, seen through the centre crop.
    ///
    /// # Errors
    /// [`Error::Decode`] and those of [`Engine::encode`] and [`Engine::embed`].
    pub fn embed_picture(
        &self,
        bytes: &[u8],
        resolution: u32,
        limits: &DecodeLimits,
    ) -> Result<Embedded, Error> {
        let picture = decode(bytes, limits)?;
        let frame = Frame::rgb(picture.width, picture.height, &picture.rgb)?;
        self.embed_frame(&frame, resolution)
    }

    /// Resizes, encodes and embeds a frame at a resolution, seen through the centre crop.
    ///
    /// # Errors
    /// Those of [`Engine::encode`] and [`Engine::embed`].
    pub fn embed_frame(&self, frame: &Frame<'_>, resolution: u32) -> Result<Embedded, Error> {
        let image = &self.bundle().manifest().image;
        let view = views(
            CropMode::Centre,
            frame.width(),
            frame.height(),
            image.crop_fraction,
        )[0];
        let rgb = Intermediate::read(frame, &view).resize(resolution as usize);
        let (map, features) = self.encode(resolution, &rgb)?;
        self.embed(map, features)
    }

    /// Computes the bundle's golden vectors again.
    ///
    /// # Errors
    /// When the goldens cannot be read or the models cannot run; a vector that merely differs is in the result.
    pub fn check_goldens(&self) -> Result<Vec<GoldenCheck>, Error> {
        let manifest = self.bundle().manifest();
        let golden = &manifest.golden;
        let least = golden.min_cosine;
        let tensors = Tensors::parse(&golden.vectors, self.bundle().file(&golden.vectors)?)?;
        let picture = self.bundle().file(&golden.picture)?;
        let dimension = manifest.text.dimension;

        let mut checks = Vec::new();
        for &resolution in self.resolutions() {
            let got = self.embed_picture(picture, resolution, &DecodeLimits::default())?;
            let name = format!("image.{resolution}");
            let want = tensors.f32(&name, &[Some(dimension)])?;
            let cosine = angle(&got.embedding, &want);
            checks.push(GoldenCheck {
                name,
                cosine,
                least,
            });
        }
        let texts = tensors.f32("text", &[Some(golden.prompts.len()), Some(dimension)])?;
        for (prompt, want) in golden.prompts.iter().zip(texts.chunks_exact(dimension)) {
            let got = self.embed_prompt(prompt)?;
            checks.push(GoldenCheck {
                name: format!("text {prompt:?}"),
                cosine: angle(&got, want),
                least,
            });
        }
        Ok(checks)
    }
}

/// The cosine of the angle between two vectors of any length; 0 where one is zero.
fn angle(a: &[f32], b: &[f32]) -> f32 {
    let lengths = (cosine(a, a) * cosine(b, b)).sqrt();
    if lengths > 0.0 {
        cosine(a, b) / lengths
    } else {
        0.0
    }
}
