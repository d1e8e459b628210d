//! Properties that hold for any layers, numbers and text.

#![allow(clippy::unwrap_used)] // a panic fails the test

use nchw_core::shapes::*;
use proptest::prelude::*;

/// Mostly small numbers, sometimes a huge one.
fn any_number() -> impl Strategy<Value = u64> + Clone {
    prop_oneof![20 => 0u64..12, 1 => Just(u64::MAX), 1 => (0u32..64).prop_map(|bits| 1 << bits), 1 => any::<u64>()]
}

fn pair(number: impl Strategy<Value = u64> + Clone) -> impl Strategy<Value = Pair> + Clone {
    (number.clone(), number).prop_map(Pair::from)
}

/// A layer of any type, with those options that are given.
macro_rules! with {
    ($layer:expr $(, $option:ident: $value:expr)* $(; $($flag:ident: $set:expr),*)?) => {{
        let layer = $layer;
        $(let layer = match $value { Some(value) => layer.$option(value), None => layer };)*
        $($(let layer = if $set { layer.$flag() } else { layer };)*)?
        Layer::from(layer)
    }};
}

/// Any layer with any of its options.
fn any_layer(number: impl Strategy<Value = u64> + Clone) -> impl Strategy<Value = Layer> {
    let pairs = proptest::array::uniform4(proptest::option::of(pair(number.clone())));
    let singles = proptest::array::uniform2(proptest::option::of(number.clone()));
    let flags = any::<[bool; 3]>();
    (0usize..11, number.clone(), pair(number), pairs, singles, flags, 0.0..=1.0).prop_map(
        |(kind, out, kernel, pairs, [groups, channels], [same, ceil, nobias], rate)| {
            let [stride, padding, dilation, extra] = pairs;
            match kind {
                0 => with!(conv(out, kernel), stride: stride, padding: padding, dilation: dilation,
                    groups: groups, in_channels: channels; same: same, nobias: nobias),
                1 => with!(conv_transpose(out, kernel), stride: stride, padding: padding, dilation: dilation,
                    output_padding: extra, groups: groups, in_channels: channels; nobias: nobias),
                2 => {
                    with!(max_pool(kernel), stride: stride, padding: padding, dilation: dilation; ceil: ceil)
                }
                3 => with!(avg_pool(kernel), stride: stride, padding: padding; ceil: ceil),
                4 => with!(linear(out), in_channels: channels; nobias: nobias),
                5 => with!(batch_norm(), in_channels: channels),
                6 => dropout(rate).into(),
                7 => global_avg_pool().into(),
                8 => global_max_pool().into(),
                9 => flatten().into(),
                _ => relu().into(),
            }
        },
    )
}

fn any_shape(number: impl Strategy<Value = u64> + Clone) -> impl Strategy<Value = Shape> {
    let sizes = proptest::collection::vec(number, 4);
    (sizes, 1usize..=4).prop_map(|(s, axes)| match axes {
        1 => Shape::from([s[0]]),
        2 => Shape::from([s[0], s[1]]),
        3 => Shape::from([s[0], s[1], s[2]]),
        _ => Shape::from([s[0], s[1], s[2], s[3]]),
    })
}

/// Layers that usually fit.
fn usual_layer() -> impl Strategy<Value = Layer> {
    prop_oneof![
        (1u64..9, pair(1u64..4), pair(0u64..3), pair(1u64..3))
            .prop_map(|(n, k, p, s)| conv(n, k).padding(p).stride(s).into()),
        (1u64..9, pair(1u64..4), pair(1u64..3)).prop_map(|(n, k, d)| conv(n, k).dilation(d).same().into()),
        pair(1u64..4).prop_map(|k| max_pool(k).into()),
        pair(1u64..4).prop_map(|k| avg_pool(k).stride(2).ceil().into()),
        Just(relu().into()),
        Just(batch_norm().into()),
    ]
}

/// Valid texts, to be damaged.
const TEXTS: &[&str] = &[
    "conv 3->10 3x5 stride 2 padding same; bn 10; maxpool 2 ceil -> flatten; linear 10 nobias",
    "nn.Sequential(nn.Conv2d(3, 10, kernel_size=(3, 5), stride=2, bias=False), nn.ReLU(), nn.MaxPool2d(2, 2))",
    "Sequential(\n  (0): Conv2d(3, 10, kernel_size=(3, 3))\n  (1): AdaptiveAvgPool2d(output_size=1)\n)",
    "convt 8 2x2 stride 2 output_padding 1 # nothing\nconv 10 3 stride=(2, 1); dropout 0.5",
    "개 채＝３ 행 열",
    "N C=3 H=32 W=48",
    "32x3x7x9",
    "conv １０ ３×５；ｒｅｌｕ",
];

/// Calls every method of a table and its rows.
fn call_everything(table: &Table) {
    let _ = (table.to_string(), table.to_markdown(), table.to_json());
    for row in &table.rows {
        let _ = (row.explain(), row.to_string(), row.sees(0, 0), row.sees(2, 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn any_numbers_never_panic(
        input in any_shape(any_number()),
        layers in proptest::collection::vec(any_layer(any_number()), 1..6),
    ) {
        call_everything(&Chain { layers }.on(input));
    }

    #[test]
    fn huge_numbers_never_panic(
        input in any_shape(0u64..=u64::MAX),
        layer in any_layer(0u64..=u64::MAX),
    ) {
        call_everything(&chain![layer].on(input));
    }

    #[test]
    fn any_text_never_panics(input in ".{0,30}", text in "[\\PC;\\n\\t]{0,60}") {
        let _ = (input.parse::<Shape>(), input.parse::<Nchw>(), text.parse::<Chain>(), table("3x7x9", &text));
    }

    #[test]
    fn nearly_valid_text_never_panics(text in "((conv|convt|개|maxpool|bn|relu|linear|stride|padding|same|->|→|;|\n|×|[0-9x.-]{1,4}) ?){0,12}") {
        if let Ok(chain) = text.parse::<Chain>() {
            call_everything(&chain.on([2, 3, 7, 9]));
            prop_assert_eq!(&chain.to_string().parse::<Chain>().unwrap(), &chain);
        }
    }

    #[test]
    fn damaged_text_never_panics(
        text in prop::sample::select(TEXTS),
        changes in prop::collection::vec((any::<prop::sample::Index>(), "[\\PC\n]{0,3}", 0usize..4), 0..6),
    ) {
        let mut text: Vec<char> = text.chars().collect();
        for (at, inserted, cut) in changes {
            let at = at.index(text.len() + 1);
            let cut = cut.min(text.len() - at);
            text.splice(at..at + cut, inserted.chars());
        }
        let text: String = text.into_iter().collect();
        let _ = text.parse::<Shape>();
        if let Ok(pattern) = text.parse::<Pattern>() {
            let _ = (pattern.check(&[]), pattern.check(&[u64::MAX, 0, 3, 1]), pattern.to_string());
        }
        if let Ok(chain) = text.parse::<Chain>() {
            call_everything(&chain.on([2, 3, 7, 9]));
            prop_assert_eq!(&chain.to_string().parse::<Chain>().unwrap(), &chain);
        }
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = (text.parse::<Shape>(), text.parse::<Nchw>(), text.parse::<Chain>(), text.parse::<Pattern>());
    }

    #[test]
    fn any_pattern_never_panics(
        pattern in "((N|C|H|_|개|=|[0-9]{1,20}|x|-1) ?){0,8}",
        sizes in prop::collection::vec(any_number(), 0..6),
    ) {
        if let Ok(pattern) = pattern.parse::<Pattern>() {
            let _ = pattern.check(&sizes);
        }
    }

    #[test]
    fn values_built_by_hand_never_panic(
        rows in prop::collection::vec(any_number(), 0..6),
        layer in any_layer(any_number()),
        input in any_shape(any_number()),
        position in any::<usize>(),
    ) {
        let seen = Seen { rows: rows.clone(), cols: rows.clone() };
        let axis = AxisField { size: u64::MAX, jump: f64::NAN, first: f64::NEG_INFINITY };
        let problem = Problem {
            position, layer, input, what: String::new(), why: String::new(), fix: String::new(), instead: vec![layer; 3],
        };
        let _ = (seen.to_string(), Field { h: axis, w: axis }.to_string(), problem.to_string());
        if let Ok(mut row) = conv(8, 3).groups(2).on([4, 7, 9]) {
            row.weight = rows.clone();
            row.bias = rows;
            let table = Table { input, rows: vec![row], totals: Totals::default(), problem: Some(problem) };
            call_everything(&table);
        }
    }

    #[test]
    fn displayed_text_can_be_parsed_again(
        layers in proptest::collection::vec(any_layer(0u64..100), 1..5),
        shape in any_shape(0u64..100),
    ) {
        let net = Chain { layers };
        prop_assert_eq!(&net.to_string().parse::<Chain>().unwrap(), &net);
        prop_assert_eq!(&net.to_string().replace("; ", " -> ").parse::<Chain>().unwrap(), &net);
        prop_assert_eq!(shape.to_string().parse::<Shape>().unwrap(), shape);
    }

    #[test]
    fn the_batch_size_changes_no_parameter(
        sizes in [1u64..6, 1..30, 1..30],
        layers in proptest::collection::vec(prop_oneof![usual_layer(), any_layer(0u64..5)], 1..6),
        n in 0u64..40,
    ) {
        let net = Chain { layers };
        let (one, many) = (net.on(sizes), net.on(Shape::from(sizes).with_batch(n)));
        prop_assert_eq!(one.problem.is_some(), many.problem.is_some());
        prop_assert_eq!(one.totals.parameters, many.totals.parameters);
        prop_assert_eq!(one.totals.multiply_adds * n, many.totals.multiply_adds);
        for (one, many) in one.rows.iter().zip(&many.rows) {
            prop_assert_eq!((&one.weight, &one.bias, one.field), (&many.weight, &many.bias, many.field));
            prop_assert_eq!(one.output.with_batch(n), many.output);
        }
    }

    #[test]
    fn the_receptive_field_never_shrinks(
        layers in proptest::collection::vec(usual_layer(), 1..6),
        input in [1u64..4, 20..60, 20..60],
    ) {
        let table = Chain { layers }.on(input);
        let mut last = (1, 1, 1.0, 1.0);
        for row in &table.rows {
            let field = row.field.unwrap();
            let now = (field.h.size, field.w.size, field.h.jump, field.w.jump);
            prop_assert!(now.0 >= last.0 && now.1 >= last.1 && now.2 >= last.2 && now.3 >= last.3);
            let seen = row.sees(0, 0).unwrap();
            prop_assert!(seen.rows.len() as u64 <= field.h.size && seen.cols.len() as u64 <= field.w.size);
            last = now;
        }
    }

    #[test]
    fn suggested_layers_fit(
        input in any_shape(0u64..12),
        layer in any_layer(0u64..7),
    ) {
        if let Some(problem) = chain![layer].on(input).problem {
            prop_assert!(!problem.what.is_empty() && !problem.why.is_empty() && !problem.fix.is_empty());
            if !problem.instead.is_empty() {
                let corrected = Chain { layers: problem.instead.clone() }.on(input);
                prop_assert!(corrected.problem.is_none(), "{}\n{}", problem, corrected);
            }
        }
    }

    #[test]
    fn the_totals_are_the_sums_of_the_rows(
        input in [1u64..5, 1..6, 8..30, 8..30],
        layers in proptest::collection::vec(usual_layer(), 1..7),
    ) {
        let table = Chain { layers: layers.clone() }.on(input);
        prop_assert_eq!(table.rows.len() + usize::from(table.problem.is_some()), layers.len().min(table.rows.len() + 1));
        for row in &table.rows {
            let count = |sizes: &[u64]| if sizes.is_empty() { 0 } else { sizes.iter().product::<u64>() };
            prop_assert_eq!(row.parameters, count(&row.weight) + count(&row.bias));
            prop_assert_eq!(row.bytes, 4 * count(&row.output.sizes()));
        }
        prop_assert_eq!(table.totals.bytes, table.rows.iter().map(|row| row.bytes).sum::<u64>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// `sees` traces each value separately; the receptive field is the widest of them, also after
    /// transposed convolutions, where neighbouring values differ.
    #[test]
    fn the_receptive_field_is_the_widest_of_all_values(
        layers in prop::collection::vec(
            (any::<bool>(), 1u64..4, 1u64..4, 1u64..3).prop_map(|(transposed, kernel, stride, dilation)| {
                match transposed {
                    true => Layer::from(conv_transpose(1, kernel).stride(stride).dilation(dilation)),
                    false => conv(1, kernel).stride(stride).dilation(dilation).into(),
                }
            }),
            1..5,
        ),
    ) {
        let table = layers.into_iter().collect::<Chain>().on([1, 150, 150]);
        if let Some(row) = table.rows.last().filter(|row| row.output.sizes()[1] > 60) {
            let height = row.output.sizes()[1];
            let span = |position| {
                let rows = row.sees(position, position).unwrap().rows;
                rows.last().zip(rows.first()).map_or(0, |(last, first)| last - first + 1)
            };
            // Away from the border, where nothing is cut off; at most 81 neighbouring values differ.
            let widest = (height / 2 - 30..height / 2 + 30).map(span).max();
            let all = (0..height).step_by(1 + height as usize / 300).map(span).max();
            prop_assert_eq!(widest.max(all), Some(row.field.unwrap().h.size), "{}", table);
        }
    }
}
