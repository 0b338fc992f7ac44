//! Plans that leave a size open, which each run settles.

use ocellus_encoder::{CheckedModel, Dim, Encoder, Fault, Input, Limit, Limits, Tensor};
use ocellus_kernels::Isa;

use crate::support::plans::*;
use crate::support::*;

/// `y` = rows of a table, `z` their sum: a text encoder in small.
fn table() -> Graph {
    Graph::new()
        .input(value("x", I64, &[1, -1]))
        .constant(f32s(
            "table",
            &[3, 2],
            &[1.0, 2.0, 10.0, 20.0, 100.0, 200.0],
        ))
        .constant(i64s("axes", &[1], &[1]))
        .node(node("Gather", &["table", "x"], &["y"]))
        .node(node("ReduceSum", &["y", "axes"], &["z"]).message(5, int_attribute("keepdims", 0)))
        .output(value("y", F32, &[1, -1, 2]))
        .output(value("z", F32, &[1, 2]))
}

#[test]
fn an_open_size_is_settled_at_each_run() {
    let encoder = encoder(&table().model());
    let plan = encoder
        .plan("x", &[Dim::Fixed(1), Dim::Any], &["y", "z"])
        .expect("a plan");
    for ids in [&[0i64][..], &[2, 1], &[1, 1, 0, 2, 2]] {
        let result = plan
            .run(Input::I64(ids, &[1, ids.len()]))
            .expect("a result");
        assert_eq!(result[0].shape, [1, ids.len(), 2]);
        let sum: f32 = ids.iter().map(|id| [1.0, 10.0, 100.0][*id as usize]).sum();
        assert_eq!(
            result[1],
            Tensor {
                shape: vec![1, 2],
                data: vec![sum, 2.0 * sum]
            }
        );
    }
    assert!(matches!(
        fault(plan.run(Input::I64(&[0, 1], &[1, 3]))),
        Fault::InputLength {
            expected: 3,
            got: 2,
            ..
        }
    ));
    for shape in [&[2, 1][..], &[2], &[1, 0], &[1, usize::MAX, 2]] {
        let misfit = fault(plan.run(Input::I64(&[0, 1], shape)));
        assert!(matches!(misfit, Fault::Shape { .. }), "{misfit:?}");
    }
    assert!(matches!(
        fault(plan.run(Input::F32(&[0.0]))),
        Fault::ElementType { .. }
    ));
    // An index that the table does not have.
    for id in [3, -4, i64::MAX, i64::MIN] {
        let outside = fault(plan.run(Input::I64(&[id], &[1, 1])));
        assert!(
            matches!(outside, Fault::Engine { .. } | Fault::Panic { .. }),
            "{outside:?}"
        );
    }
}

#[test]
fn an_open_size_is_held_against_the_limit_at_each_run() {
    let limits = Limits {
        activation_bytes: 100,
        ..Limits::default()
    };
    let model = CheckedModel::scan("test.onnx", &table().model(), &limits).expect("a good file");
    let encoder = Encoder::new(model, Isa::Scalar).expect("a graph");
    let plan = encoder
        .plan("x", &[Dim::Fixed(1), Dim::Any], &["y"])
        .expect("a plan");
    assert!(plan.run(Input::I64(&[0; 12], &[1, 12])).is_ok());
    let large = fault(plan.run(Input::I64(&[0; 13], &[1, 13])));
    assert!(
        matches!(
            large,
            Fault::Limit {
                limit: Limit::Activation,
                most: 100,
                got: 104,
                ..
            }
        ),
        "{large:?}"
    );
}

#[test]
fn narrow_ids_are_taken() {
    let mut graph = table();
    graph.inputs = vec![value("x", I32, &[1, -1])];
    let encoder = encoder(&graph.model());
    let plan = encoder
        .plan("x", &[Dim::Fixed(1), Dim::Any], &["z"])
        .expect("a plan");
    assert_eq!(
        plan.run(Input::I64(&[1], &[1, 1])).expect("a result")[0].data,
        [10.0, 20.0]
    );
    assert!(matches!(
        fault(plan.run(Input::I64(&[1 << 40], &[1, 1]))),
        Fault::ElementType { .. }
    ));
}
