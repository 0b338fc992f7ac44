//! From a picture's bytes to its embedding.

use ocellus::{
    Engine, Error, Policy, Session, SessionOptions,
    vision::{DecodeLimits, decode},
};
use std::sync::Arc;

/// What an indexer asks for embeddings.
pub trait Embed {
    /// The embedding `[dimension]` of an encoded picture, of any length but zero.
    ///
    /// # Errors
    /// The picture cannot be decoded, or the model fails.
    fn embed(&mut self, picture: &[u8]) -> Result<Vec<f32>, Error>;

    /// The most bytes of a file that are read.
    fn most_bytes(&self) -> u64;
}

/// Embeds the centre square of pictures at a bundle's highest resolution: an index is made once and asked often.
pub struct PictureEmbedder {
    session: Session,
    limits: DecodeLimits,
}

impl PictureEmbedder {
    /// An embedder with limits of what it decodes.
    ///
    /// # Errors
    /// Those of [`Session::new`].
    pub fn new(engine: Arc<Engine>, limits: DecodeLimits) -> Result<PictureEmbedder, Error> {
        let options = SessionOptions {
            policy: Some(Policy::Fixed(Self::resolution(&engine))),
            limits,
            ..SessionOptions::default()
        };
        Ok(PictureEmbedder {
            session: Session::new(engine, options)?,
            limits,
        })
    }

    /// The side in pixels at which an engine's pictures are embedded.
    pub fn resolution(engine: &Engine) -> u32 {
        engine.resolutions().last().copied().unwrap_or_default()
    }
}

impl Embed for PictureEmbedder {
    fn embed(&mut self, picture: &[u8]) -> Result<Vec<f32>, Error> {
        let picture = decode(picture, &self.limits)?;
        self.session.embed(&picture.frame()?)
    }

    fn most_bytes(&self) -> u64 {
        self.limits.bytes
    }
}
