//! Operators that make one value of several.

use std::sync::Arc;

use ocellus_encoder::{Input, Precision, Reason};
use ocellus_sys::Pool;

use crate::support::plans::{encoder, fixed};
use crate::support::quantized::*;
use crate::{SIZES, check, compare, plans, precision};

#[test]
fn residual_sums() {
    let net = Net::new(6)
        .conv("a", "x", &Conv::new(6, 1))
        .add("s", "x", "a", &[])
        .add("t", "s", "a", &[Clamp::Relu]);
    check(&net.clone().output("t"), &[1, 6, 20, 31], "two sums");
    check(
        &net.output("s").output("t"),
        &[4, 6, 20, 31],
        "two sums, both read",
    );
    // The same bytes on both sides, and one scale for everything.
    let net = Net::new(6).add("s", "x", "x", &[]).output("s");
    check(&net, &[1, 6, 11, 9], "a tensor and itself");
}

/// A gate is a number for each channel, made of what it opens or closes.
#[test]
fn products_of_one_shape_and_with_gates() {
    for [h, w] in SIZES {
        for batch in [1, 3] {
            let net = Net::new(6)
                .conv("a", "x", &Conv::new(20, 1))
                .unary("h", "HardSigmoid", "a")
                .mul("m", "a", "h", &[])
                .mul("s", "m", "m", &[Clamp::Clip(Some(0.5), None)])
                .output("m")
                .output("s");
            check(&net, &[batch, 6, h, w], "a product of one shape");
            let gated = |a: &str, b: &str| {
                Net::new(6)
                    .conv("a", "x", &Conv::new(18, 1))
                    .pool("p", "a", true)
                    .conv("e", "p", &Conv::new(18, 1))
                    .unary("g", "Sigmoid", "e")
                    .mul("m", a, b, &[])
                    .output("m")
            };
            for [a, b] in [["a", "g"], ["g", "a"]] {
                let what = format!("{a} by {b} of {batch} on {h} x {w}");
                check(&gated(a, b), &[batch, 6, h, w], &what);
            }
        }
    }
}

#[test]
fn concatenations_of_channels() {
    for [h, w] in SIZES {
        for clamps in [vec![], vec![Clamp::Relu]] {
            // The input has another scale than what is computed; one value stands there twice.
            let net = Net::new(5)
                .conv("a", "x", &Conv::new(18, 1))
                .concat("c", &["a", "x", "a"], 1, &clamps)
                .conv("b", "c", &Conv::new(4, 1))
                .output("c")
                .output("b");
            check(&net, &[2, 5, h, w], &format!("{clamps:?} on {h} x {w}"));
        }
    }
}

#[test]
fn joins_of_other_shapes_stay_in_f32_and_say_why() {
    // A number for each pixel, and maps behind one another.
    let pixels = Net::new(6)
        .conv("a", "x", &Conv::new(6, 1))
        .conv("g", "a", &Conv::new(1, 1))
        .mul("m", "a", "g", &[])
        .output("m");
    let sums = Net::new(6)
        .conv("a", "x", &Conv::new(6, 1))
        .conv("g", "a", &Conv::new(1, 1))
        .add("m", "a", "g", &[])
        .output("m");
    let dims = [1, 6, 20, 20];
    for net in [pixels, sums] {
        let (int8, f32) = plans(&net, &dims);
        let expected = (Precision::F32, Some(Reason::Attribute));
        assert_eq!(precision(&int8, "/m_sum"), expected);
        compare(&net, (&int8, &f32), &dims, "a number for each pixel");
    }
    let net = Net::new(6)
        .conv("a", "x", &Conv::new(6, 1))
        .conv("b", "x", &Conv::new(6, 1))
        .concat("m", &["a", "b"], 2, &[])
        .output("m");
    let (int8, f32) = plans(&net, &dims);
    assert_eq!(precision(&int8, "/m_sum").0, Precision::F32);
    compare(&net, (&int8, &f32), &dims, "rows behind one another");
}

#[test]
fn threads_change_no_byte_of_a_join() {
    let net = Net::new(6)
        .conv("a", "x", &Conv::new(18, 1))
        .pool("p", "a", true)
        .mul("m", "a", "p", &[])
        .mul("s", "m", "a", &[])
        .concat("c", &["s", "x"], 1, &[])
        .output("c");
    let dims = [2, 6, 23, 19];
    let x = reals(dims.iter().product(), 1);
    let run = |threads: usize| {
        let encoder = encoder(&net.clone().model()).with_pool(Arc::new(Pool::in_turn(threads)));
        let plan = encoder.plan("x", &fixed(&dims), &["c"]).expect("a plan");
        plan.run(Input::F32(&x)).expect("a result")
    };
    let alone = run(1);
    for threads in [2, 3, 5] {
        assert_eq!(run(threads), alone, "{threads}");
    }
}
