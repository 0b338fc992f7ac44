//! What a loaded encoder keeps and what a run allocates, with the bundle that ships.

use std::path::Path;
use std::sync::Arc;

use allocation_counter::{AllocationInfo, measure};
use ocellus_encoder::{CheckedModel, Dim, Encoder, Input, Limits, Pixels, Plan, Tensor};
use ocellus_sys::Pool;

fn encoder() -> Encoder {
    let path = Path::new("../../models/default/image.onnx");
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let model = CheckedModel::scan("image.onnx", &bytes, &Limits::default()).expect("a good file");
    Encoder::new(model, ocellus_sys::isa::detect()).expect("a graph")
}

fn plan(encoder: &Encoder, side: usize) -> Plan {
    let dims = [1, 3, side, side].map(Dim::Fixed);
    encoder
        .plan("image", &dims, &["map", "features"])
        .expect("a plan")
}

fn pixels(rgb: &[u8]) -> Pixels<'_> {
    Pixels {
        rgb,
        mean: [127.0, 120.0, 133.5],
        std: [128.0, 64.3, 31.0],
    }
}

fn picture(side: usize) -> Vec<u8> {
    (0..3 * side * side)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 9) as u8)
        .collect()
}

#[test]
fn a_run_into_tensors_of_the_caller_allocates_nothing() {
    let (encoder, rgb) = (encoder(), picture(112));
    let plan = plan(&encoder, 112);
    let reals: Vec<f32> = rgb.iter().map(|&byte| f32::from(byte) / 90.0).collect();
    let mut outputs: Vec<Tensor> = Vec::new();
    for input in [Input::F32(&reals), Input::Pixels(pixels(&rgb))] {
        plan.run_into(input, &mut outputs).expect("a result");
        let again = measure(|| plan.run_into(input, &mut outputs).expect("a result"));
        assert_eq!(again, AllocationInfo::default(), "{input:?}");
    }
}

#[test]
fn any_number_of_threads_computes_the_same_and_allocates_nothing() {
    for (side, threads) in [(112, 2), (112, 3), (112, 4), (112, 16), (160, 3), (224, 4)] {
        let rgb = picture(side);
        let input = Input::Pixels(pixels(&rgb));
        let expected = plan(&encoder(), side).run(input).expect("a result");
        let pool = Arc::new(Pool::new(threads).expect("threads"));
        let plan = plan(&encoder().with_pool(pool), side);
        let mut outputs = Vec::new();
        for _ in 0..2 {
            plan.run_into(input, &mut outputs).expect("a result");
            assert!(outputs == expected, "{threads} threads at {side}");
        }
        let again = measure(|| plan.run_into(input, &mut outputs).expect("a result"));
        assert_eq!(again, AllocationInfo::default(), "{threads} threads");
    }
}

#[test]
fn runs_that_meet_share_a_pool_and_compute_the_same() {
    let rgb = picture(112);
    let input = Input::Pixels(pixels(&rgb));
    let pool = Arc::new(Pool::new(2).expect("threads"));
    let plan = plan(&encoder().with_pool(pool), 112);
    let expected = plan.run(input).expect("a result");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..3 {
                    assert!(plan.run(input).expect("a result") == expected);
                }
            });
        }
    });
}

#[test]
fn three_resolutions_keep_little_more_than_one() {
    let kept = |sides: &[usize]| {
        let mut loaded = None;
        let info = measure(|| {
            let encoder = encoder();
            let plans: Vec<Plan> = sides.iter().map(|&side| plan(&encoder, side)).collect();
            loaded = Some((encoder, plans));
        });
        drop(loaded);
        info.bytes_current
    };
    let (one, three) = (kept(&[224]), kept(&[112, 160, 224]));
    assert!(one > 3 << 20, "{one} bytes hold no packed weights");
    assert!(three * 4 <= one * 5, "{three} bytes against {one}");
}

#[test]
fn pixels_are_the_reals_they_stand_for() {
    let (encoder, rgb) = (encoder(), picture(112));
    let given = pixels(&rgb);
    let real =
        |channel: usize, byte: u8| (f32::from(byte) - given.mean[channel]) / given.std[channel];
    let planes: Vec<f32> = (0..3)
        .flat_map(|c| {
            rgb.iter()
                .skip(c)
                .step_by(3)
                .map(move |&byte| real(c, byte))
        })
        .collect();
    let same = |plan: &Plan| {
        assert_eq!(
            plan.run(Input::Pixels(given)).expect("a result"),
            plan.run(Input::F32(&planes)).expect("a result")
        );
    };
    same(&plan(&encoder, 112));
    same(&plan(&self::encoder().without_regions(), 112));
}

#[test]
fn pixels_that_do_not_fit_are_a_fault() {
    let encoder = encoder();
    let rgb = picture(113);
    let error = plan(&encoder, 112)
        .run(Input::Pixels(pixels(&rgb)))
        .expect_err("a fault");
    assert!(error.to_string().contains("37632"), "{error}");
}
