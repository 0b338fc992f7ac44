//! Marked parts: what an instruction counter outside of the program counts, and the list that says which is which.

use super::ops;
use ocellus::{
    Isa,
    encoder::{CheckedModel, Dim, Encoder, EncoderError, Input, Limits, Observer, Plan},
    sys::{Marks as Parts, mark},
    vision::Frame,
};
use serde_json::{Value, json};
use std::{hint::black_box, iter::repeat_n};

/// The names of the marked regions, in the order in which they ran.
#[derive(Default)]
pub struct Regions(Vec<&'static str>);

impl Regions {
    /// Does `work` twice to warm up, then once more between marks.
    pub fn mark<T, E>(
        &mut self,
        name: &'static str,
        mut work: impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        for _ in 0..2 {
            black_box(work()?);
        }
        mark::begin();
        let done = work();
        mark::end();
        self.0.push(name);
        done
    }

    /// Loads once between marks.
    pub fn load(&mut self, loading: &Loading<'_>) -> Result<(), EncoderError> {
        mark::begin();
        let loaded = loading.run();
        mark::end();
        self.0.push("load");
        black_box(loaded).map(drop)
    }

    /// Does `work` once with marks around what each thread would do of it, each time that they share something.
    pub fn shares<T, E>(
        &mut self,
        parts: &Parts,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<(), E> {
        parts.begin();
        let done = work();
        self.0.extend(repeat_n("share", parts.end()));
        black_box(done).map(drop)
    }

    /// Runs `plan` once with marks around each of its operations, which are returned.
    pub fn steps(&mut self, plan: &Plan, input: Input<'_>) -> Result<Vec<Value>, EncoderError> {
        plan.run(input)?;
        black_box(plan.run_observed(input, &mut Marks)?);
        self.0.extend(plan.operations().iter().map(|_| "step"));
        Ok(plan.operations().iter().map(ops::row).collect())
    }

    /// What was marked at a resolution.
    pub fn row(self, side: u32, frame: &Frame<'_>, steps: Vec<Value>) -> Value {
        json!({
            "resolution": side,
            "frame_px": [frame.width(), frame.height()],
            "regions": self.0,
            "steps": steps,
        })
    }
}

/// What a start costs: an encoder's bytes become a plan for each resolution. Hashing and words are apart.
pub struct Loading<'a> {
    pub file: &'a str,
    pub bytes: &'a [u8],
    pub isa: Isa,
    pub regions: bool,
    pub input: &'a str,
    pub outputs: &'a [&'a str],
    pub resolutions: &'a [u32],
}

impl Loading<'_> {
    fn run(&self) -> Result<(Encoder, Vec<Plan>), EncoderError> {
        let model = CheckedModel::scan(self.file, self.bytes, &Limits::default())?;
        let mut encoder = Encoder::new(model, self.isa)?;
        if !self.regions {
            encoder = encoder.without_regions();
        }
        let plan = |&side: &u32| {
            let dims = [1, 3, side as usize, side as usize].map(Dim::Fixed);
            encoder.plan(self.input, &dims, self.outputs)
        };
        let plans = self
            .resolutions
            .iter()
            .map(plan)
            .collect::<Result<_, _>>()?;
        Ok((encoder, plans))
    }
}

/// Keeps operations apart, and marks none: the encoder layer by layer.
pub struct Apart;

impl Observer for Apart {
    fn begin(&mut self, _: usize) {}
    fn end(&mut self, _: usize) {}
}

/// Marks each operation.
struct Marks;

impl Observer for Marks {
    fn begin(&mut self, _: usize) {
        mark::begin();
    }

    fn end(&mut self, _: usize) {
        mark::end();
    }
}
