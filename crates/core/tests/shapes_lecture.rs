//! The numbers of the lecture: quizzes, table, receptive fields.

#![allow(clippy::unwrap_used)] // a panic fails the test

use nchw_core::shapes::*;

#[test]
fn a_3x3_kernel_shrinks_each_axis_by_2() {
    assert_eq!(conv(1, 3).on([1, 8, 8]).unwrap().output, [1, 6, 6].into());
    assert_eq!(conv(1, 3).on([1, 8, 11]).unwrap().output, [1, 6, 9].into());
    assert_eq!(conv(1, 2).on([1, 3, 3]).unwrap().parameters, 5, "2x2 on 3x3: 4 weights and a bias");
}

#[test]
fn a_5x5_filter_on_colour_has_75_weights() {
    let one = conv(1, 5).nobias().on([3, 32, 40]).unwrap();
    assert_eq!((one.parameters, one.weight.as_slice()), (75, &[1, 3, 5, 5][..]));
    let table = chain![conv(2, 5), conv(3, 3)].on([3, 32, 40]).ok().unwrap();
    assert_eq!(table.rows[0].weight, [2, 3, 5, 5]);
    assert_eq!(table.rows[1].weight, [3, 2, 3, 3]);
    assert_eq!(table.output(), [3, 26, 34].into());
}

#[test]
fn quizzes_a_b_and_c() {
    let net = chain![conv(10, 3), conv(20, 3)];
    let one = net.on([3, 7, 7]);
    assert_eq!((&one.rows[0].weight[..], one.rows[0].output), (&[10, 3, 3, 3][..], [10, 5, 5].into()));
    assert_eq!((&one.rows[1].weight[..], one.rows[1].output), (&[20, 10, 3, 3][..], [20, 3, 3].into()));
    assert_eq!((one.rows[0].parameters, one.rows[1].parameters), (280, 1820));
    assert_eq!((one.rows[0].multiply_adds, one.rows[0].bytes), (27 * 250, 1000));

    let many = net.on([32, 3, 7, 7]);
    assert_eq!(many.rows[0].output, [32, 10, 5, 5].into());
    assert_eq!(many.output(), [32, 20, 3, 3].into());
    for (one, many) in one.rows.iter().zip(&many.rows) {
        assert_eq!((&one.weight, &one.bias, one.parameters), (&many.weight, &many.bias, many.parameters));
        assert_eq!((32 * one.multiply_adds, 32 * one.bytes), (many.multiply_adds, many.bytes));
    }
}

#[test]
fn a_1x1_convolution_has_one_weight_per_map() {
    let row = conv(4, 1).nobias().on([7, 9, 11]).unwrap();
    assert_eq!((&row.weight[..], row.parameters, row.output), (&[4, 7, 1, 1][..], 28, [4, 9, 11].into()));
    assert_eq!(row.field.unwrap().h.size, 1);
}

#[test]
fn pooling_keeps_channels_and_has_no_parameters() {
    for pool in chain![max_pool(4), avg_pool(4), global_avg_pool(), global_max_pool()].layers {
        let row = pool.on([2, 5, 4, 4]).unwrap();
        assert_eq!((row.output, row.parameters, row.weight.len()), ([2, 5, 1, 1].into(), 0, 0));
    }
}

#[test]
fn two_pooling_layers_have_a_receptive_field_of_4x4() {
    let table = chain![max_pool(2), max_pool(2)].on([1, 8, 12]);
    let field = table.rows[1].field.unwrap();
    assert_eq!((field.h.size, field.w.size, field.h.jump, field.h.first), (4, 4, 4.0, 1.5));

    // conv, pool, conv, pool: 3, 4, 4 + 2*2 = 8, 8 + 1*2 = 10.
    let table = chain![conv(8, 3), max_pool(2), conv(8, 3), max_pool(2)].on([3, 30, 40]);
    let sizes = table.rows.iter().map(|row| row.field.unwrap().h.size).collect::<Vec<_>>();
    assert_eq!(sizes, [3, 4, 8, 10]);
    assert_eq!(table.rows[3].sees(1, 2).unwrap().rows, (4..14).collect::<Vec<_>>());
    assert_eq!(table.rows[3].sees(1, 2).unwrap().to_string(), "rows 4 to 13; columns 8 to 17");
}

#[test]
fn dilation_leaves_gaps_in_the_receptive_field() {
    let row = conv(1, (3, 2)).dilation((2, 3)).on([1, 9, 9]).unwrap();
    let seen = row.sees(1, 0).unwrap();
    assert_eq!((seen.rows, seen.cols), (vec![1, 3, 5], vec![0, 3]));
    assert_eq!((row.field.unwrap().h.size, row.field.unwrap().w.size), (5, 4));
}

#[test]
fn a_transposed_convolution_reduces_the_jump() {
    let table = chain![conv(4, 3).stride(2), conv_transpose(4, 2).stride(2)].on([1, 21, 31]);
    let field = table.rows[1].field.unwrap();
    assert_eq!(
        (field.h.size, field.h.jump),
        (3, 1.0),
        "each value depends on one value, which depends on three"
    );
    let table = chain![conv_transpose(4, (3, 2)).stride(2)].on([1, 9, 9]);
    let field = table.rows[0].field.unwrap();
    assert_eq!((field.h.size, field.w.size, field.h.jump), (2, 1, 0.5));
    let widest = (2..15).map(|row| table.rows[0].sees(row, 4).unwrap().rows.len()).max();
    assert_eq!(widest, Some(2));
}

#[test]
fn flatten_then_linear_sees_everything() {
    let table = chain![conv(10, 3), flatten(), linear(3)].on([3, 7, 9]).ok().unwrap();
    assert_eq!((table.rows[1].output, table.output()), (Shape::from([350]), Shape::from([3])));
    assert_eq!(table.rows[2].weight, [3, 350]);
    let field = table.rows[2].field.unwrap();
    assert_eq!((field.h.size, field.w.size), (7, 9));
}

#[test]
fn explanations_contain_the_formulas() {
    let row = conv(10, 3).stride(2).on([3, 7, 8]).unwrap();
    let why = row.explain().to_string();
    for line in [
        "H = floor((7 - 3) / 2) + 1 = floor(4 / 2) + 1 = 3",
        "W = floor((8 - 3) / 2) + 1 = floor(5 / 2) + 1 = 3",
        "the floor rounds 2.50 down: 1 column of the padded input is left over",
        "no window reads column 7 (counted from 0)",
        "you do not choose it: it is the channel count of the input",
        "10*3*3*3 weights + 10 biases = 280",
        "1 + (3-1)*1 = 3 pixels",
    ] {
        assert!(why.contains(line), "{line}\n{why}");
    }
    assert_eq!(format!("{:?}", row.explain_parameters()), "parameters: 10*3*3*3 weights + 10 biases = 280");
}

#[test]
fn the_rule_for_ceil_is_explained() {
    let why = max_pool(2).stride(3).padding(1).ceil().on([1, 5, 6]).unwrap().explain_output().to_string();
    assert!(why.contains("W = ceil((6 + 2*1 - 2) / 3) + 1 = ceil(6 / 3) + 1 = 3"), "{why}");
    let why = avg_pool(2).stride(3).padding(1).ceil().on([1, 4, 4]).unwrap().explain_output().to_string();
    assert!(
        why.contains("minus 1: the last window would start at 5, in the padding after 0 to 3; so H = 2"),
        "{why}"
    );
}

#[test]
fn shapes_can_be_written_in_many_ways() {
    for text in ["32x3x7x9", "32 3 7 9", "32, 3, 7, 9", "[32, 3, 7, 9]", "32×3×7×9", " 32 X 3 * 7 x 9 "] {
        assert_eq!(text.parse::<Shape>().unwrap(), [32, 3, 7, 9].into(), "{text}");
    }
    let image: Nchw = "3x7x9".parse().unwrap();
    assert_eq!((image.n, image.batched, image.to_string().as_str()), (1, false, "3x7x9"));
    assert_eq!(
        (image.named().as_str(), Shape::from([5, 80]).named().as_str()),
        ("C=3 H=7 W=9", "N=5 features=80")
    );
    assert_eq!(format!("{:?}", Shape::from([5, 80])), "5x80");
}

#[test]
fn chains_can_be_written_in_many_ways() {
    let net = chain![
        conv(10, (3, 5)).stride(2).padding((1, 2)),
        relu(),
        conv_transpose(8, 2).stride(2).output_padding(1),
        avg_pool(3).ceil(),
        batch_norm(),
        dropout(0.25),
        global_avg_pool(),
        flatten(),
        linear(10).in_channels(8).nobias(),
    ];
    for text in [
        "conv 10 3x5 stride 2 padding 1x2; relu; convt 8 2 stride 2 output_padding 1; avgpool 3 ceil; bn; \
         dropout 0.25; gap; flatten; linear 8->10 nobias",
        "Conv2d(10, 3x5, stride=2, padding=1x2)\nReLU()\nConvTranspose2d(8, 2, stride=2, output_padding=1)\n\
         nn.AvgPool2d(3, ceil_mode)\nBatchNorm2d\nDropout(0.25)\nglobal_avg_pool\nflatten\nlinear 8 -> 10 nobias\n",
        "conv 10 3×5 s 2 p 1x2 -> relu -> deconv 8 2 s 2 outpad 1->avg_pool 3 ceil → bn → drop .25 -> gap -> flat \
         -> fc 8→10 nobias",
    ] {
        assert_eq!(text.parse::<Chain>().unwrap(), net, "{text}");
    }
    assert_eq!("conv 4 3 same".parse::<Chain>().unwrap(), chain![conv(4, 3).same()]);
    assert_eq!("conv 4 3 padding same".parse::<Chain>().unwrap(), chain![conv(4, 3).same()]);
    assert_eq!("bn 10".parse::<Chain>().unwrap(), chain![batch_norm().in_channels(10)]);
}

/// PyTorch's calls, and the same layers in the notation of the course.
#[test]
fn pytorch_notation_is_read() {
    for (pytorch, words) in [
        (
            "nn.Conv2d(3, 10, kernel_size=3, stride=(2, 1), padding=1, dilation=2, groups=1, bias=False)",
            "conv 3->10 3x3 stride 2x1 padding 1 dilation 2 groups 1 nobias",
        ),
        ("Conv2d(3, 10, 3)", "conv 3->10 3x3"),
        ("torch.nn.Conv2d(3, 10, 3, 2, 1)", "conv 3->10 3x3 stride 2 padding 1"),
        ("Conv2d(3, 10, (3, 5), padding='same')", "conv 3->10 3x5 padding same"),
        ("nn.Conv2d(3, 10, 3, padding=\"valid\", bias=True)", "conv 3->10 3x3"),
        ("nn.Conv2d(out_channels=10, in_channels=3, kernel_size=[3, 3])", "conv 3->10 3x3"),
        (
            "nn.Conv2d(3, 10, 3, 1, 0, 1, 1, False, 'zeros')",
            "conv 3->10 3x3 stride 1 padding 0 dilation 1 groups 1 nobias",
        ),
        ("self.conv1 = nn.Conv2d(3, 10, 3)", "conv 3->10 3x3"),
        (
            "nn.ConvTranspose2d(8, 4, 2, stride=2, output_padding=1)",
            "convt 8->4 2x2 stride 2 output_padding 1",
        ),
        ("nn.MaxPool2d(2, 2)", "maxpool 2x2 stride 2"),
        ("MaxPool2d(2,2)", "maxpool 2x2 stride 2"),
        ("MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)", "maxpool 3x3 stride 2 ceil"),
        ("MaxPool2d((3, 2), stride=None, ceil_mode=False)", "maxpool 3x2"),
        ("maxpool (3, 2)", "maxpool 3x2"),
        ("nn.AvgPool2d(3, 1, 1)", "avgpool 3x3 stride 1 padding 1"),
        ("nn.AdaptiveAvgPool2d(1)", "gap"),
        ("nn.AdaptiveAvgPool2d((1,1))", "gap"),
        ("AdaptiveMaxPool2d(output_size=(1, 1))", "gmp"),
        ("nn.BatchNorm2d(64)", "bn 64"),
        ("BatchNorm2d(64, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)", "bn 64"),
        ("nn.BatchNorm1d(64)", "bn 64"),
        ("nn.ReLU()", "relu"),
        ("nn.ReLU(inplace=True)", "relu"),
        ("nn.Flatten()", "flatten"),
        ("Flatten(start_dim=1, end_dim=-1)", "flatten"),
        ("nn.Linear(2048, 10)", "linear 2048->10"),
        ("Linear(in_features=2048, out_features=10, bias=False)", "linear 2048->10 nobias"),
        ("nn.Dropout(0.5)", "dropout 0.5"),
        ("Dropout(p=0.25, inplace=False)", "dropout 0.25"),
        ("nn.Dropout2d(p=0.25)", "dropout 0.25"),
        // The course's own functions: two numbers are the number and the size of the filters.
        ("conv(10, 3)", "conv 10 3x3"),
        ("conv(10, (3, 5), stride=2)", "conv 10 3x5 stride 2"),
        ("linear(10)", "linear 10"),
        ("conv 10 3 stride=(2, 1)", "conv 10 3x3 stride 2x1"),
        ("conv 10 (3, 5) padding (1, 2)", "conv 10 3x5 padding 1x2"),
        // Full-width characters from a Korean keyboard.
        ("conv １０ ３×５　stride ２；relu", "conv 10 3x5 stride 2; relu"),
        ("Ｃｏｎｖ２ｄ（３，１０，ｋｅｒｎｅｌ＿ｓｉｚｅ＝３）", "conv 3->10 3x3"),
    ] {
        let read: Chain = pytorch.parse().unwrap_or_else(|error| panic!("{pytorch}\n{error}"));
        assert_eq!(read.to_string(), words, "{pytorch}");
    }
    assert_eq!("３×７　x ９".parse::<Shape>().unwrap(), [3, 7, 9].into());
    "Ｎ，Ｃ＝３ H W".parse::<Pattern>().unwrap().check(&[8, 3, 5, 7]).unwrap();
}

#[test]
fn a_whole_sequential_is_read() {
    let expected = "conv 3->10 3x3 stride 2; relu; maxpool 2x2 stride 2; flatten; linear 90->4";
    for text in [
        "nn.Sequential(nn.Conv2d(3, 10, 3, stride=2), nn.ReLU(), nn.MaxPool2d(2, 2), nn.Flatten(), nn.Linear(90, 4))",
        "model = nn.Sequential(\n    nn.Conv2d(\n        3, 10,\n        kernel_size=3,\n        stride=2,\n    ),\n    \
         nn.ReLU(),  # not (linear; at all\n    nn.Sequential(nn.MaxPool2d(2, 2), nn.Flatten()),\n    nn.Linear(90, 4),\n)",
        // PyTorch's own output.
        "Sequential(\n  (0): Conv2d(3, 10, kernel_size=(3, 3), stride=(2, 2))\n  (1): ReLU()\n  (pool): MaxPool2d(kernel_size=2, \
         stride=2, padding=0, dilation=1, ceil_mode=False)\n  (3): Flatten(start_dim=1, end_dim=-1)\n  (4): \
         Linear(in_features=90, out_features=4, bias=True)\n)",
        // Lines copied from one, with their commas.
        "nn.Conv2d(3, 10, 3, stride=2),\nnn.ReLU(), nn.MaxPool2d(2, 2),\nnn.Flatten(), nn.Linear(90, 4)",
    ] {
        let net: Chain = text.parse().unwrap_or_else(|error| panic!("{text}\n{error}"));
        let shown = net.to_string().replace(" padding 0 dilation 1", "");
        assert_eq!(shown, expected, "{text}");
        assert_eq!(net.on([3, 13, 15]).ok().unwrap().output(), [4].into());
    }
}

/// The number of channels in a PyTorch call is compared with the input.
#[test]
fn the_channels_of_a_pasted_layer_are_checked() {
    let problem = |layers: &str| table("3x13x15", layers).unwrap().problem.unwrap().to_string();
    let conv = problem("nn.Conv2d(3, 10, 3)\nnn.Conv2d(3, 20, 3)");
    assert!(conv.contains("layer 2") && conv.contains("expected 10 ") && conv.contains("got 3"), "{conv}");
    assert!(conv.contains("`conv 10->20 3x3` would fit"), "{conv}");
    let linear = problem("Flatten(); Linear(2048, 10)");
    assert!(linear.contains("axis 1 (features): expected 585") && linear.contains("got 2048"), "{linear}");
    let norm = problem("BatchNorm2d(64)");
    assert!(norm.contains("expected 3 ") && norm.contains("got 64"), "{norm}");
}

#[test]
fn the_json_is_complete() {
    let table = table("2x3x7x9", "conv 10 3x3; linear 10").unwrap();
    let json: serde_json::Value = serde_json::from_str(&table.to_json()).unwrap();
    assert_eq!(json["rows"][0]["weight"], serde_json::json!([10, 3, 3, 3]));
    assert_eq!(json["rows"][0]["output"], serde_json::json!([2, 10, 5, 7]));
    assert_eq!(json["rows"][0]["field"]["h"]["size"], 3);
    assert_eq!(json["totals"]["parameters"], 280);
    assert_eq!(json["problem"]["position"], 2);
    assert_eq!(json["problem"]["instead"], serde_json::json!(["flatten", "linear 10"]));
}
