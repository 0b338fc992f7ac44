//! The text encoder: a plan for each length that texts are filled up to, and, where it takes the embeddings of tokens in the
//! place of ids, the table that they are looked up in.

use crate::{
    bundle::{Bundle, BundleError, I8Rows, Text},
    error::Error,
    heads::unit,
};
use ocellus_encoder::{Dim, Encoder, Input, Plan, Step, Tensor};

/// The input of an encoder that takes ids, `[1, l]`.
const IDS: &str = "input_ids";
/// The input of one that takes tokens' embeddings, `[1, l, width]`.
const EMBEDDINGS: &str = "inputs_embeds";

/// A text encoder that is ready to run.
pub(crate) struct TextEncoder {
    file: String,
    dimension: usize,
    /// One for each length that texts are filled up to, or one for any.
    plans: Vec<(Dim, Plan)>,
    /// A row a piece, where the encoder takes embeddings.
    tokens: Option<I8Rows>,
}

impl TextEncoder {
    /// The bundle's, for a vocabulary of so many pieces.
    pub fn load(bundle: &Bundle, encoder: &Encoder, pieces: usize) -> Result<TextEncoder, Error> {
        let text = &bundle.manifest().text;
        let tokens = match &text.tokens {
            Some(tokens) => Some(tokens.read(bundle.file(&tokens.file)?, pieces)?),
            None => check_rows(encoder, text, pieces).map(|()| None)?,
        };
        let lengths = text.sequence.as_ref().map(|sequence| &sequence.lengths[..]);
        let dims = match lengths.unwrap_or_default() {
            [] => vec![Dim::Any],
            lengths => lengths.iter().copied().map(Dim::Fixed).collect(),
        };
        let plan = |dim: Dim| {
            let one = Dim::Fixed(1);
            let plan = match &text.tokens {
                None => encoder.plan(IDS, &[one, dim], &["embedding"]),
                Some(tokens) => {
                    let width = Dim::Fixed(tokens.width);
                    encoder.plan(EMBEDDINGS, &[one, dim, width], &["embedding"])
                }
            };
            Ok((dim, plan?))
        };
        Ok(TextEncoder {
            file: text.file.clone(),
            dimension: text.dimension,
            plans: dims.into_iter().map(plan).collect::<Result<_, Error>>()?,
            tokens,
        })
    }

    /// The steps, as they run; of several lengths, at the longest.
    pub fn steps(&self) -> &[Step] {
        self.longest().steps()
    }

    /// The unit embedding `[d]` of piece ids.
    pub fn encode(&self, ids: &[u32]) -> Result<Vec<f32>, Error> {
        match &self.tokens {
            Some(tokens) => self.run(ids.len(), Input::F32(&embeddings(tokens, ids))),
            None => {
                let ids: Vec<i64> = ids.iter().copied().map(i64::from).collect();
                self.run(ids.len(), Input::I64(&ids, &[1, ids.len()]))
            }
        }
    }

    /// The unit embedding `[d]` of piece ids of which those from `at` on are only places, for the vectors of `prefix`,
    /// `[n, width]`. Of an encoder that takes ids there are none, and it takes the ids.
    pub fn encode_with(&self, ids: &[u32], at: usize, prefix: &[f32]) -> Result<Vec<f32>, Error> {
        let Some(tokens) = &self.tokens else {
            return self.encode(ids);
        };
        let mut embeddings = embeddings(tokens, ids);
        let from = at * tokens.k;
        embeddings[from..from + prefix.len()].copy_from_slice(prefix);
        self.run(ids.len(), Input::F32(&embeddings))
    }

    fn run(&self, length: usize, input: Input<'_>) -> Result<Vec<f32>, Error> {
        let outputs = self.of(length).run(input)?;
        let not_finite = || Error::NotFinite {
            file: self.file.clone(),
            what: "text embedding",
        };
        let [embedding]: [Tensor; 1] = outputs.try_into().map_err(|_| not_finite())?;
        if embedding.data.len() != self.dimension {
            return Err(BundleError::Contents {
                file: self.file.clone(),
                what: "output embedding".into(),
                expected: format!("[1, {}]", self.dimension),
                got: format!("{:?}", embedding.shape),
            }
            .into());
        }
        unit(embedding.data).ok_or_else(not_finite)
    }

    /// Whether the encoder takes the id `last` in texts of every length: a table of fewer rows would be found out by the
    /// first label that has it.
    pub fn check_last_id(&self, last: u32) -> Result<(), Error> {
        self.plans.iter().try_for_each(|(dim, _)| {
            let length = match dim {
                Dim::Fixed(length) => *length,
                Dim::Any => 1,
            };
            self.encode(&vec![last; length]).map(drop)
        })
    }

    fn longest(&self) -> &Plan {
        // There is one at least.
        &self.plans[self.plans.len() - 1].1
    }

    fn of(&self, length: usize) -> &Plan {
        let mut plans = self.plans.iter();
        let exact = plans.find(|(dim, _)| *dim == Dim::Fixed(length));
        exact.map_or(self.longest(), |(_, plan)| plan)
    }
}

/// The rows of ids, one after another. Ids are below the number of rows, which are as many as pieces.
fn embeddings(tokens: &I8Rows, ids: &[u32]) -> Vec<f32> {
    let rows = ids.iter().flat_map(|&id| {
        let (id, k) = (id as usize, tokens.k);
        let scale = tokens.scales[id];
        let row = &tokens.values[id * k..(id + 1) * k];
        row.iter().map(move |&value| f32::from(value) * scale)
    });
    rows.collect()
}

/// Whether the text encoder has a row for each piece of the vocabulary.
fn check_rows(encoder: &Encoder, text: &Text, pieces: usize) -> Result<(), BundleError> {
    match encoder.model().rows_looked_up_by(IDS) {
        Some(rows) if rows < pieces => Err(BundleError::Contents {
            file: text.file.clone(),
            what: format!("table that {IDS} are looked up in"),
            expected: format!(
                "a row for each of the {pieces} pieces of {}",
                text.vocabulary
            ),
            got: format!("{rows} rows"),
        }),
        _ => Ok(()),
    }
}
