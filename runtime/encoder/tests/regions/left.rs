//! What has no kernel: it runs in f32 beside regions, and says why.

use ocellus_encoder::{Dim, Encoder, Input, Precision, Reason};

use crate::support::plans::encoder;
use crate::support::quantized::*;
use crate::support::*;
use crate::{compare, plans, precision};

/// First and last layer in f32, and one in the middle whose result is not quantized: two regions with reals between.
#[test]
fn layers_in_f32_around_regions() {
    let net = Net::new(4)
        .real_conv("first", "x", 4, 6)
        .quantize("q", "first")
        .conv("a", "q", &Conv::new(6, 3))
        .real_conv("middle", "a", 6, 6)
        .quantize("r", "middle")
        .conv("b", "r", &Conv::new(6, 1))
        .add("s", "a", "b", &[])
        .real_conv("last", "s", 6, 5);
    // One step into the last layer is at most the sum of a filter's weights on its way out.
    let net = net.output_of("last", 1.0).output("s");
    let dims = [2, 4, 30, 31];
    let (int8, f32) = plans(&net, &dims);
    let in_region = |node: &str| precision(&int8, node).0 == Precision::I8;
    assert!(
        ["/a", "/b", "/s"].into_iter().all(in_region),
        "{:#?}",
        int8.steps()
    );
    for node in ["/first", "/middle", "/last"] {
        assert_eq!(precision(&int8, node).0, Precision::F32, "{node}");
    }
    let x = reals(dims.iter().product(), 1);
    let (got, expected) = (
        int8.run(Input::F32(&x)).expect("a result"),
        f32.run(Input::F32(&x)).expect("a result"),
    );
    let apart = |at: usize| {
        let pairs = got[at].data.iter().zip(&expected[at].data);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max)
    };
    // A step in front of the middle layer may become one more behind it.
    assert!(apart(1) <= 2.001 * OUT_SCALE, "{}", apart(1));
    assert!(apart(0) <= 1.0, "{}", apart(0));
}

#[test]
fn what_has_no_kernel_stays_in_f32_and_says_why() {
    let conv = Conv::new(4, 3);
    let with = |change: &dyn Fn(&mut Conv)| {
        let mut conv = conv.clone();
        change(&mut conv);
        conv
    };
    for (conv, reason) in [
        (with(&|conv| conv.groups = 2), Reason::Attribute),
        (with(&|conv| conv.dilation = 2), Reason::Attribute),
        (
            with(&|conv| (conv.groups, conv.filters) = (4, 8)),
            Reason::Attribute,
        ),
        (
            with(&|conv| conv.weights = Weights::ZeroPoint),
            Reason::WeightZeroPoint,
        ),
        (
            with(&|conv| conv.weights = Weights::F32),
            Reason::WeightsNotQuantized,
        ),
        (
            with(&|conv| conv.bias = Bias::OtherScale),
            Reason::BiasScale,
        ),
        (
            with(&|conv| conv.bias = Bias::TooLarge),
            Reason::SumOverflow,
        ),
    ] {
        let net = Net::new(4)
            .conv("a", "x", &Conv::new(4, 1))
            .conv("b", "a", &conv)
            .output("b");
        let dims = [1, 4, 20, 20];
        let (int8, f32) = plans(&net, &dims);
        assert_eq!(precision(&int8, "/a").0, Precision::I8);
        assert_eq!(
            precision(&int8, "/b_sum"),
            (Precision::F32, Some(reason)),
            "{conv:?}"
        );
        assert_eq!(
            precision(&f32, "/b_sum"),
            (Precision::F32, Some(Reason::RegionsOff))
        );
        if conv.bias != Bias::TooLarge {
            compare(&net, (&int8, &f32), &dims, &format!("{conv:?}"));
        }
    }
}

#[test]
fn a_sum_that_is_read_in_f32_too_is_computed_in_f32() {
    let net = Net::new(4)
        .conv("a", "x", &Conv::new(4, 1))
        .output_of("a_sum", OUT_SCALE)
        .output("a");
    let (int8, f32) = plans(&net, &[1, 4, 8, 8]);
    assert_eq!(
        precision(&int8, "/a_sum"),
        (Precision::F32, Some(Reason::OutputNotQuantized))
    );
    let x = reals(4 * 64, 1);
    assert_eq!(
        int8.run(Input::F32(&x)).expect("a result"),
        f32.run(Input::F32(&x)).expect("a result")
    );
}

#[test]
fn open_sizes_run_in_f32() {
    let net = Net::new(4).conv("a", "x", &Conv::new(4, 1)).output("a");
    let dims = [Dim::Any, Dim::Fixed(4), Dim::Fixed(8), Dim::Fixed(8)];
    let plan = encoder(&net.model())
        .plan("x", &dims, &["a"])
        .expect("a plan");
    assert_eq!(
        precision(&plan, "/a_sum"),
        (Precision::F32, Some(Reason::OpenShape))
    );
    let result = plan
        .run(Input::F32(&reals(2 * 4 * 64, 1)))
        .expect("a result");
    assert_eq!(result[0].shape, [2, 4, 8, 8]);
}

/// Rows and columns change places, in a square: no table, though every size stays.
#[test]
fn a_transposed_square_is_no_table() {
    let meaning = ["q", "scale", "zero"];
    let graph = Graph::new()
        .input(value("x", F32, &[6, 6]))
        .constant(f32s("scale", &[], &[0.02]))
        .constant(u8s("zero", &[], &[121]))
        .node(node("QuantizeLinear", &["x", "scale", "zero"], &["q"]))
        .node(node("DequantizeLinear", &meaning, &["r"]))
        .node(node("Transpose", &["r"], &["t"]))
        .node(node("QuantizeLinear", &["t", "scale", "zero"], &["p"]))
        .node(node("DequantizeLinear", &["p", "scale", "zero"], &["y"]))
        .output(value("y", F32, &[6, 6]));
    let encoder = encoder(&graph.model());
    let plan = |encoder: &Encoder| encoder.plan("x", &[Dim::Fixed(6); 2], &["y"]);
    let x = reals(36, 1);
    let run = |encoder: &Encoder| {
        let plan = plan(encoder).expect("a plan");
        plan.run(Input::F32(&x)).expect("a result")
    };
    let got = run(&encoder);
    assert_eq!(got, run(&encoder.without_regions()));
}
