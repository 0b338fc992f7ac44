//! Forms of the quantized operators and of those of transformers, over the operator sets that are read and beyond: each is
//! computed as onnxruntime does it, or refused by the name of its node. See `tests/golden/forms.py`.

mod support;

use std::cell::RefCell;

use ocellus_encoder::EncoderError;
use support::golden::{self, Case, with_cases};

/// What is computed.
fn run(case: &Case) -> Result<Vec<f32>, EncoderError> {
    let encoder = case.try_encoder("model", ocellus_sys::isa::detect())?;
    let plan = encoder.plan("x", &case.dims("x"), &["y"])?;
    golden::try_run(&plan, &case.reals("x"))
}

/// What is wrong with a case, if anything.
fn check(case: &Case) -> Result<(), String> {
    let name = case.name;
    if !case.has("y") {
        return match run(case) {
            Err(refused) if refused.to_string().contains("/node") => Ok(()),
            Err(refused) => Err(format!("refused without its node: {refused}")),
            Ok(_) => Err(format!("{name}: computed")),
        };
    }
    let y = run(case).map_err(|error| error.to_string())?;
    let (expected, step) = (case.reals("y"), case.reals("step")[0]);
    let mut unequal = 0;
    for (y, expected) in y.iter().zip(&expected) {
        let apart = (y - expected).abs();
        let rounding = 2e-5 * (1.0 + expected.abs());
        if apart.is_nan() || apart > rounding.max(1.001 * step) {
            return Err(format!("{name}: {y}, expected {expected}"));
        }
        unequal += usize::from(apart > rounding);
    }
    // Where a tie was rounded the other way.
    match y.len() == expected.len() && unequal <= 1 + y.len() / 100 {
        true => Ok(()),
        false => Err(format!("{name}: {unequal} of {} differ", y.len())),
    }
}

#[test]
fn forms_are_computed_as_onnxruntime_does_or_refused_by_the_name_of_their_node() {
    let wrong = RefCell::new(Vec::new());
    with_cases("forms", 230, |case| {
        wrong.borrow_mut().extend(check(case).err())
    });
    let wrong = wrong.into_inner();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
