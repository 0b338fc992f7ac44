//! What operators with bad parts get: scales, zero points and attributes that mean nothing or take for ever.

mod support;

use ocellus_encoder::{CheckedModel, Fault, Limits};
use support::faults::*;
use support::*;

#[test]
fn scales() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, -1.0] {
        let fault = fault(&quantized_convolution([0.1, bad, 0.3]).model());
        let Fault::Scale {
            node,
            tensor,
            index,
            ..
        } = &fault
        else {
            panic!("{fault:?}");
        };
        assert_eq!(
            (node.as_str(), tensor.as_str(), *index),
            ("/w", "w_scale", 1)
        );
    }
    // A Constant node is a constant as well.
    let node_constant = node("Constant", &[], &["s"]).message(
        5,
        Message::new()
            .text(1, "value")
            .message(5, f32s("", &[], &[f32::NAN]))
            .int(20, 4),
    );
    let graph = relu()
        .node(node_constant)
        .node(node("QuantizeLinear", &["x", "s"], &["q"]));
    check(
        graph,
        |fault| matches!(fault, Fault::Scale { .. }),
        &["node /q", "s[0]", "NaN"],
    );
    // And so is a list of floats.
    let graph = relu()
        .constant(header("s", F32, &[]).float(4, -2.0))
        .node(node("QuantizeLinear", &["x", "s"], &["q"]));
    check(
        graph,
        |fault| matches!(fault, Fault::Scale { .. }),
        &["s[0] is -2"],
    );
}

#[test]
fn scales_and_zero_points_that_do_not_fit() {
    let misfit = |fault: &Fault| matches!(fault, Fault::Quantization { .. });
    let dequantize = |scale: Message, zero_point: Message, axis: i64| {
        let node = node("DequantizeLinear", &["w", "s", "z"], &["d"])
            .message(5, int_attribute("axis", axis));
        relu()
            .constant(i8s("w", &[2, 3], &[0; 6]))
            .constant(scale)
            .constant(zero_point)
            .node(node)
    };
    let scale = |count: i64| f32s("s", &[count], &vec![1.0; count as usize]);
    let zeros = |count: i64| i8s("z", &[count], &vec![0; count as usize]);
    check(
        dequantize(i64s("s", &[], &[1]), zeros(1), 0),
        misfit,
        &["node /d", "scale is i64", "f32"],
    );
    check(
        dequantize(f32s("s", &[1, 2], &[1.0; 2]), zeros(2), 0),
        misfit,
        &["[1, 2]"],
    );
    check(
        dequantize(f32s("s", &[0], &[]), zeros(1), 0),
        misfit,
        &["scale"],
    );
    check(
        dequantize(scale(2), zeros(3), 0),
        misfit,
        &["zero points is 3", "2"],
    );
    check(
        dequantize(scale(2), zeros(2), 1),
        misfit,
        &["scales is 2", "3"],
    );
    check(dequantize(scale(2), zeros(2), 7), misfit, &["axis is 7"]);
    check(dequantize(scale(2), zeros(2), -3), misfit, &["axis"]);
    check(
        dequantize(scale(1), u8s("z", &[1], &[0]), 0),
        misfit,
        &["i8, as the data", "u8"],
    );
    check(
        dequantize(scale(1), f32s("z", &[1], &[0.0]), 0),
        misfit,
        &["zero point is f32"],
    );
    check(
        dequantize(scale(1), i32s("z", &[1], &[1]), 0),
        misfit,
        &["i32", "0"],
    );
    assert!(
        CheckedModel::scan(
            "good.onnx",
            &dequantize(scale(3), zeros(3), -1).model(),
            &Limits::default()
        )
        .is_ok()
    );

    let blocks = relu().constant(scale(1)).node(
        node("QuantizeLinear", &["x", "s"], &["q"]).message(5, int_attribute("block_size", 32)),
    );
    check(
        blocks,
        |fault| matches!(fault, Fault::Unsupported { .. }),
        &["node /q", "blocks"],
    );
    let nothing = relu().node(node("QuantizeLinear", &["x"], &["q"]));
    check(
        nothing,
        |fault| matches!(fault, Fault::Missing { .. }),
        &["node /q", "scale"],
    );
}

#[test]
fn attributes() {
    let wrong = |fault: &Fault| matches!(fault, Fault::Attribute { .. });
    let with =
        |op: &str, attribute: Message| relu().node(node(op, &["x"], &["z"]).message(5, attribute));
    for perm in [
        &[0, 0][..],
        &[1, 2],
        &[-1, 0],
        &[2, 0, 3],
        &[i64::MIN, i64::MAX],
    ] {
        let message = format!("{perm:?}");
        check(
            with("Transpose", ints_attribute("perm", perm)),
            wrong,
            &["node /z", "perm", &message],
        );
    }
    for axis in [9, -9, i64::MIN, i64::MAX] {
        check(
            with("Softmax", int_attribute("axis", axis)),
            wrong,
            &["axis", &axis.to_string()],
        );
    }
    check(
        with("MaxPool", ints_attribute("kernel_shape", &[2, 0])),
        wrong,
        &["kernel_shape", "1 to"],
    );
    check(
        with("MaxPool", ints_attribute("strides", &[1 << 40])),
        wrong,
        &["strides"],
    );
    check(
        with("Conv", ints_attribute("pads", &[0, 0, 0, -1])),
        wrong,
        &["pads is -1"],
    );
    check(
        with("Conv", int_attribute("group", 0)),
        wrong,
        &["group is 0"],
    );
    let inner = Graph::new()
        .node(node("Transpose", &["x"], &["inner"]).message(5, ints_attribute("perm", &[1, 1])))
        .output(value("inner", F32, &[1]));
    check(
        with("If", graph_attribute("then_branch", inner.message())),
        wrong,
        &["node /inner"],
    );
    let sound = with("Transpose", ints_attribute("perm", &[2, 0, 1])).model();
    assert!(CheckedModel::scan("good.onnx", &sound, &Limits::default()).is_ok());
}
