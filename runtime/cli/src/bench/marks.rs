//! Marked parts: what an instruction counter outside of the program counts, and the list that says which is which.

use super::ops;
use ocellus::{
    encoder::{EncoderError, Input, Observer, Plan},
    sys::mark,
    vision::Frame,
};
use serde_json::{Value, json};
use std::hint::black_box;

/// The names of the marked regions, in the order in which they ran.
#[derive(Default)]
pub struct Regions(Vec<&'static str>);

impl Regions {
    /// Does `work` twice to warm up, then once more between marks.
    pub fn mark<T, E>(
        &mut self,
        name: &'static str,
        work: impl Fn() -> Result<T, E>,
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
