//! What bad files get: a fault that names the thing, for each way in which a file can be bad.

mod support;

use ocellus_encoder::{CheckedModel, Dim, Element, Fault, Limit, Limits};
use support::faults::*;
use support::*;

#[test]
fn a_good_file_says_what_it_is() {
    let bytes = quantized_convolution([0.1, 0.2, 0.3]).model();
    let model = CheckedModel::scan("good.onnx", &bytes, &Limits::default()).expect("a good file");
    assert_eq!(
        (model.name(), model.opset(), model.node_count()),
        ("good.onnx", 17, 7)
    );
    let [input] = model.inputs() else {
        panic!("{:?}", model.inputs());
    };
    assert_eq!((input.name.as_str(), input.element), ("x", Element::F32));
    assert_eq!(
        input.dims.as_deref(),
        Some(&[Dim::Any, Dim::Fixed(2), Dim::Any, Dim::Any][..])
    );
    assert_eq!(model.outputs()[0].name, "y");
}

#[test]
fn what_is_not_an_onnx_model() {
    for bytes in [
        &b""[..],
        b"\x7fELF",
        b"not a model at all",
        &[0xff; 64],
        &[0; 16],
    ] {
        let fault = fault(bytes);
        assert!(
            matches!(
                fault,
                Fault::Missing { .. } | Fault::Encoding { .. } | Fault::Truncated { .. }
            ),
            "{bytes:?}: {fault:?}"
        );
    }
}

#[test]
fn truncations() {
    let bytes = quantized_convolution([0.1, 0.2, 0.3]).model();
    for length in 0..bytes.len() {
        let fault = fault(&bytes[..length]);
        assert!(
            matches!(fault, Fault::Missing { .. } | Fault::Truncated { .. }),
            "{length} of {}: {fault:?}",
            bytes.len()
        );
    }
}

#[test]
fn unknown_fields_are_skipped() {
    let newer = Message::new().int(99, 1).text(1000, "from the future").0;
    let bytes = [newer, relu().model()].concat();
    assert!(CheckedModel::scan("newer.onnx", &bytes, &Limits::default()).is_ok());
}

#[test]
fn repeated_fields_are_refused() {
    let graph = || relu().message();
    let import = || Message::new().text(1, "").int(2, 17);
    for twice in [
        Message::new()
            .message(7, graph())
            .message(7, graph())
            .message(8, import()),
        Message::new()
            .message(7, graph())
            .message(8, import())
            .message(8, import()),
        Message::new()
            .message(7, graph().text(2, "again"))
            .message(8, import()),
    ] {
        let fault = fault(&twice.0);
        assert!(
            matches!(fault, Fault::Encoding { why, .. } if why.contains("twice")),
            "{fault:?}"
        );
    }
}

#[test]
fn a_name_that_is_not_utf8() {
    let node = Message::new()
        .bytes(1, b"x")
        .bytes(2, b"\xff\xfe")
        .text(4, "Relu");
    check(
        relu().node(node),
        |fault| matches!(fault, Fault::Encoding { .. }),
        &["UTF-8", "NodeProto"],
    );
}

#[test]
fn operator_sets() {
    let graph = || relu().message();
    for got in [-1, 0, 8, 22, 1 << 40] {
        let fault = fault(&model(graph(), got));
        assert_eq!(
            fault,
            Fault::Opset {
                got,
                least: 9,
                most: 21
            }
        );
        assert!(fault.to_string().contains("opset_version=17"));
    }
    for good in [9, 13, 18, 21] {
        assert!(CheckedModel::scan("good.onnx", &model(graph(), good), &Limits::default()).is_ok());
    }
    let other = Message::new().text(1, "com.example").int(2, 17);
    let unnamed = Message::new().message(7, graph()).message(8, other).0;
    assert!(
        matches!(fault(&unnamed), Fault::Missing { part, .. } if part.contains("operator set"))
    );
}

#[test]
fn training_graphs_functions_and_sparse_tensors() {
    for field in [20, 25] {
        let bytes = [
            relu().model(),
            Message::new().message(field, Message::new()).0,
        ]
        .concat();
        assert!(matches!(fault(&bytes), Fault::Unsupported { .. }));
    }
    let sparse = relu().message().message(15, Message::new());
    assert!(matches!(
        fault(&model(sparse, 17)),
        Fault::Unsupported { .. }
    ));
}

#[test]
fn a_graph_without_outputs() {
    let graph = Graph::new()
        .input(value("x", F32, &[1]))
        .node(node("Relu", &["x"], &["y"]));
    check(
        graph,
        |fault| matches!(fault, Fault::Missing { .. }),
        &["output"],
    );
}

#[test]
fn tensors_outside_the_file() {
    for tensor in [
        header("w", F32, &[1]).int(14, 1),
        header("w", F32, &[1]).message(13, Message::new().text(1, "location").text(2, "../secret")),
        f32s("w", &[1], &[1.0]).int(14, 1),
    ] {
        check(
            with_constant(tensor),
            |fault| matches!(fault, Fault::Unsupported { .. }),
            &["tensor w", "outside the file"],
        );
    }
}

#[test]
fn dimensions() {
    check(
        with_constant(f32s("w", &[1; 9], &[1.0])),
        |fault| {
            matches!(
                fault,
                Fault::Limit {
                    limit: Limit::Rank,
                    most: 8,
                    got: 9,
                    ..
                }
            )
        },
        &["tensor w", "9 axes"],
    );
    check(
        relu().input(value("x9", F32, &[1; 9])),
        |fault| {
            matches!(
                fault,
                Fault::Limit {
                    limit: Limit::Rank,
                    ..
                }
            )
        },
        &["x9"],
    );
    check(
        with_constant(header("w", F32, &[2, -3])),
        |fault| {
            matches!(
                fault,
                Fault::NegativeDimension {
                    axis: 1,
                    got: -3,
                    ..
                }
            )
        },
        &["tensor w"],
    );
    check(
        relu().input(value("negative", F32, &[2, -3])),
        |fault| {
            matches!(
                fault,
                Fault::NegativeDimension {
                    axis: 1,
                    got: -3,
                    ..
                }
            )
        },
        &["negative"],
    );
    for dims in [
        &[1 << 40][..],
        &[1 << 32, 1 << 32],
        &[i64::MAX; 8],
        &[16 << 20, 2],
    ] {
        check(
            with_constant(header("w", F32, dims)),
            |fault| {
                matches!(
                    fault,
                    Fault::Limit {
                        limit: Limit::Tensor,
                        most: 67_108_864,
                        ..
                    }
                )
            },
            &["tensor w"],
        );
    }
    // Nothing, whatever the other sizes say.
    let empty = with_constant(header("w", F32, &[1 << 40, 1 << 40, 0])).model();
    assert!(CheckedModel::scan("empty.onnx", &empty, &Limits::default()).is_ok());
}

#[test]
fn data_that_does_not_fit_its_shape() {
    let too_long = |fault: &Fault| matches!(fault, Fault::DataLength { .. });
    check(
        with_constant(raw("w", F32, &[2], &[0; 7])),
        too_long,
        &["tensor w", "7 bytes", "needs 8"],
    );
    check(
        with_constant(raw("w", F32, &[2], &[0; 12])),
        too_long,
        &["12 bytes"],
    );
    check(
        with_constant(header("w", F32, &[2])),
        too_long,
        &["0 elements", "needs 2"],
    );
    check(
        with_constant(header("w", F32, &[2]).float(4, 1.0)),
        too_long,
        &["1 elements"],
    );
    check(
        with_constant(header("w", I64, &[3]).bytes(7, &[1, 2])),
        too_long,
        &["2 elements"],
    );
    check(
        with_constant(f32s("w", &[1], &[1.0]).float(4, 2.0)),
        too_long,
        &["second place"],
    );
    check(
        with_constant(header("w", F32, &[1]).float(4, 1.0).int(5, 1)),
        too_long,
        &["second place"],
    );
    check(
        with_constant(header("w", U8, &[2]).bytes(5, &[7, 0x80, 0x02])),
        |fault| {
            matches!(
                fault,
                Fault::DataRange {
                    index: 1,
                    got: 256,
                    ..
                }
            )
        },
        &["tensor w", "u8"],
    );
    for data_type in [0, 8, 14, 16, 17, 21, 22, 99] {
        check(
            with_constant(raw("w", data_type, &[1], &[0; 8])),
            |fault| matches!(fault, Fault::Unsupported { .. }),
            &["tensor w", &data_type.to_string()],
        );
    }
}

#[test]
fn names_that_nothing_produces() {
    let dangling = |fault: &Fault| matches!(fault, Fault::Dangling { .. });
    check(
        relu().node(node("Relu", &["ghost"], &["z"])),
        dangling,
        &["node /z", "ghost"],
    );
    check(
        relu().output(value("phantom", F32, &[1])),
        dangling,
        &["output list", "phantom"],
    );
    let inner = Graph::new()
        .node(node("Relu", &["nobody"], &["inner"]))
        .output(value("inner", F32, &[1]));
    let branch =
        node("If", &["x"], &["z"]).message(5, graph_attribute("then_branch", inner.message()));
    check(relu().node(branch), dangling, &["node /inner", "nobody"]);
}

#[test]
fn an_inner_graph_sees_the_names_around_it() {
    let inner = Graph::new()
        .node(node("Relu", &["y"], &["inner"]))
        .output(value("inner", F32, &[1]));
    let branch =
        node("If", &["x"], &["z"]).message(5, graph_attribute("then_branch", inner.message()));
    let bytes = relu().node(branch).model();
    let model = CheckedModel::scan("nested.onnx", &bytes, &Limits::default()).expect("a good file");
    assert_eq!(model.node_count(), 3);
}

#[test]
fn names_that_are_taken() {
    let twice = |fault: &Fault| matches!(fault, Fault::Duplicate { .. });
    check(
        relu().node(node("Relu", &["x"], &["y"])),
        twice,
        &["tensor y"],
    );
    check(
        relu().node(node("Relu", &["x"], &["x"])),
        twice,
        &["tensor x"],
    );
    check(
        relu()
            .constant(f32s("w", &[1], &[1.0]))
            .constant(f32s("w", &[1], &[2.0])),
        twice,
        &["tensor w"],
    );
    check(relu().input(value("x", F32, &[1])), twice, &["input x"]);
    check(relu().output(value("y", F32, &[1])), twice, &["output y"]);
}

#[test]
fn cycles() {
    let cycle = |fault: &Fault| matches!(fault, Fault::Cycle { .. });
    check(
        relu().node(node("Relu", &["z"], &["z"])),
        cycle,
        &["own output", "/z"],
    );
    let pair = relu()
        .node(node("Relu", &["b"], &["a"]))
        .node(node("Relu", &["a"], &["b"]));
    check(pair, cycle, &["own output"]);
    let inner = Graph::new()
        .node(node("Relu", &["z"], &["inner"]))
        .output(value("inner", F32, &[1]));
    let branch =
        node("If", &["x"], &["z"]).message(5, graph_attribute("then_branch", inner.message()));
    check(relu().node(branch), cycle, &["/z"]);
}

#[test]
fn nodes_without_outputs_or_operators() {
    let missing = |fault: &Fault| matches!(fault, Fault::Missing { .. });
    check(
        relu().node(node("Relu", &["x"], &[])),
        missing,
        &["first output"],
    );
    check(
        relu().node(node("", &["x"], &["z"])),
        missing,
        &["operator", "/z"],
    );
}

#[test]
fn too_much_of_anything() {
    let chain = |length: usize| {
        let mut graph = Graph::new().input(value("t0", F32, &[1]));
        for at in 0..length {
            graph = graph.node(node(
                "Relu",
                &[&format!("t{at}")],
                &[&format!("t{}", at + 1)],
            ));
        }
        graph
            .output(value(&format!("t{length}"), F32, &[1]))
            .model()
    };
    assert!(CheckedModel::scan("long.onnx", &chain(20_000), &Limits::default()).is_ok());
    let nodes = fault(&chain(20_001));
    assert!(
        matches!(
            nodes,
            Fault::Limit {
                limit: Limit::Nodes,
                most: 20_000,
                ..
            }
        ),
        "{nodes:?}"
    );

    let small = Limits {
        file_bytes: 100,
        ..Limits::default()
    };
    let file = fault_within(&chain(10), &small);
    assert!(
        matches!(
            file,
            Fault::Limit {
                limit: Limit::File,
                most: 100,
                ..
            }
        ),
        "{file:?}"
    );

    // Two bytes of file for each empty name, which would be 24 bytes of memory.
    let names = (0..1_000_001).fold(Message::new(), |node, _| node.text(1, ""));
    let parts = fault(&relu().node(names.text(2, "z").text(4, "Sum")).model());
    assert!(
        matches!(
            parts,
            Fault::Limit {
                limit: Limit::Parts,
                ..
            }
        ),
        "{parts:?}"
    );

    let mut inner = Graph::new().output(value("y", F32, &[1])).message();
    for _ in 0..16 {
        let node = node("If", &["x"], &["z"]).message(5, graph_attribute("then_branch", inner));
        inner = Graph::new()
            .node(node)
            .output(value("y", F32, &[1]))
            .message();
    }
    let depth = fault(&model(inner, 17));
    assert!(
        matches!(
            depth,
            Fault::Limit {
                limit: Limit::Depth,
                most: 16,
                ..
            }
        ),
        "{depth:?}"
    );
}
