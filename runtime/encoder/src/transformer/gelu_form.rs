//! Looks for GELU and its relatives: the engine's operators, and what exporters write for them.
//!
//! ```text
//! x * sigmoid([alpha *] x)          x * (erf(x / sqrt 2) + 1) / 2, its factors in any order
//! x * (tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)) + 1) / 2, the same
//! ```

use ocellus_kernels::Gelu as Curve;
use tract_core::ops::math::{Add, Erf, Mul, Pow, Tanh};
use tract_core::ops::nn::Sigmoid;
use tract_core::ops::nn::gelu_approximate::GeluApproximate;
use tract_core::ops::nn::silu::Silu;
use tract_onnx::tract_hir::internal::*;

use super::gelu::Gelu;
use super::values::{binary, is_used_once, number, only_user, other, plus, scaled, shape, unary};
use super::{Means, Replacement, sigmoid};

/// What the cube of x weighs in the argument of the hyperbolic tangent (Hendrycks and Gimpel, 2016).
const CUBE: f32 = 0.044715;

/// The function in whose middle `node` stands.
pub(super) fn find(model: &TypedModel, node: &TypedNode, means: &Means) -> Option<Replacement> {
    let (curve, x, output) = quick(model, node)
        .or_else(|| exact(model, node))
        .or_else(|| approximate(model, node))
        .or_else(|| engines(model, node))?;
    shape(model, x)?;
    Some(Replacement {
        op: Box::new(Gelu {
            curve,
            means: means.clone(),
        }),
        inputs: tvec![x],
        output,
    })
}

type Found = (Curve, OutletId, OutletId);

fn engines(model: &TypedModel, node: &TypedNode) -> Option<Found> {
    if let Some(x) = unary::<Silu>(model, node) {
        return Some((sigmoid(1.0), x, node.id.into()));
    }
    let x = unary::<GeluApproximate>(model, node)?;
    Some((Curve::Tanh, x, node.id.into()))
}

/// `x * sigmoid(alpha * x)`, of which `node` is the sigmoid.
fn quick(model: &TypedModel, node: &TypedNode) -> Option<Found> {
    let slope = unary::<Sigmoid>(model, node)?;
    let (product, share) = only_user(model, node.id.into())?;
    let x = other::<Mul>(model, product, share)?;
    let output = product.id.into();
    if x == slope {
        return Some((sigmoid(1.0), x, output));
    }
    let (of, alpha) = scaled(model, model.node(slope.node))?;
    let is = of == x && is_used_once(model, slope);
    is.then(|| (sigmoid(alpha), x, output))
}

/// `x * (1 + erf(x / sqrt 2)) / 2`, of which `node` is the error function.
fn exact(model: &TypedModel, node: &TypedNode) -> Option<Found> {
    let argument = unary::<Erf>(model, node)?;
    let (x, factor) = scaled(model, model.node(argument.node))?;
    if !is_near(factor, core::f32::consts::FRAC_1_SQRT_2) {
        return None;
    }
    Some((Curve::Normal, x, half_of_x_and(model, node, x)?))
}

/// `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2`, of which `node` is the hyperbolic tangent.
fn approximate(model: &TypedModel, node: &TypedNode) -> Option<Found> {
    let argument = unary::<Tanh>(model, node)?;
    let (sum, factor) = scaled(model, model.node(argument.node))?;
    if !is_near(
        factor,
        core::f32::consts::FRAC_2_SQRT_PI * core::f32::consts::FRAC_1_SQRT_2,
    ) {
        return None;
    }
    let [a, b] = binary::<Add>(model, model.node(sum.node))?;
    let is_of = |[x, cube]: [OutletId; 2]| {
        let (cube, factor) = scaled(model, model.node(cube.node))?;
        (is_near(factor, CUBE) && is_cube(model, cube, x)).then_some(x)
    };
    let x = is_of([a, b]).or_else(|| is_of([b, a]))?;
    Some((Curve::Tanh, x, half_of_x_and(model, node, x)?))
}

/// Whether the values at `outlet` are those at `x`, each times itself twice.
fn is_cube(model: &TypedModel, outlet: OutletId, x: OutletId) -> bool {
    let node = model.node(outlet.node);
    if let Some([of, power]) = binary::<Pow>(model, node) {
        return of == x && number(model, power) == Some(3.0);
    }
    let square = other::<Mul>(model, node, x);
    square.is_some_and(|square| binary::<Mul>(model, model.node(square.node)) == Some([x, x]))
}

/// The last of the products that make `x * (1 + share) / 2` of the share that `node` is.
fn half_of_x_and(model: &TypedModel, node: &TypedNode, x: OutletId) -> Option<OutletId> {
    let (sum, share) = only_user(model, node.id.into())?;
    if plus(model, sum, share)? != 1.0 {
        return None;
    }
    // What is left are products: with x, with half of x, or with one half.
    let (mut half, mut has_x, mut last) = (false, false, OutletId::new(sum.id, 0));
    while !(half && has_x) {
        let (product, of) = only_user(model, last)?;
        let by = other::<Mul>(model, product, of);
        if !has_x && by == Some(x) {
            has_x = true;
        } else if !half && scaled(model, product).is_some_and(|(_, factor)| factor == 0.5) {
            half = true;
        } else {
            let (of_x, factor) = scaled(model, model.node(by?.node))?;
            if half || has_x || of_x != x || factor != 0.5 {
                return None;
            }
            (half, has_x) = (true, true);
        }
        last = product.id.into();
    }
    Some(last)
}

fn is_near(a: f32, b: f32) -> bool {
    (a - b).abs() <= 1e-5 * b.abs()
}
