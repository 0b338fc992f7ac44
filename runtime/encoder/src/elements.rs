//! What operators that compute each element of one tensor have in common.

/// What an operator of single elements tells the engine about axes: they may move. `$moved` is an `Option` of the operator
/// behind which `$change` has moved them, or nothing where they must stay.
macro_rules! of_elements {
    (|$self:ident, $change:ident| $moved:expr) => {
        fn axes_mapping(
            &self,
            inputs: &[&TypedFact],
            outputs: &[&TypedFact],
        ) -> TractResult<AxesMapping> {
            AxesMapping::natural(inputs, outputs)
        }

        fn change_axes(
            &$self,
            model: &TypedModel,
            node: &TypedNode,
            _: InOut,
            $change: &AxisOp,
        ) -> TractResult<Option<AxisChangeConsequence>> {
            Ok($moved.map(|moved| {
                let op: Box<dyn TypedOp> = Box::new(moved);
                AxisChangeConsequence::new(model, node, Some(op), $change)
            }))
        }
    };
}

pub(crate) use of_elements;
