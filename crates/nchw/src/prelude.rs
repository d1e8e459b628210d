//! Everything that a notebook imports: `use nchw::prelude::*;`.

pub use crate::{
    Error, Result, Show,
    chart::Chart,
    check, check_all,
    data::{Bars, Cifar10, Dataset, Examples, FolderSettings, Place, Shapes10, open_batch},
    device,
    exercise::{exercise, your_turn},
    figure::Figure,
    filter::{
        BLUE, Connections, FeatureMaps, Filter, Filters, GREEN, Input, Learned, RED, ShiftTest, YELLOW,
        shift_test, side_by_side,
    },
    image::{Boxes, Image},
    machine,
    maps::{feature_maps, pictures},
    matrix::Matrix,
    named,
    net::{LectureNet, LectureNetConfig, SmallNet},
    quiz::{self, quiz, quiz_form},
    see::{Film, album, filters, groups, heat_search, maximise, patches, see},
    shape_lab,
    shapes::{
        self, Nchw, avg_pool, batch_norm, chain, conv, conv_transpose, dropout, flatten, global_avg_pool,
        global_max_pool, linear, max_pool, relu, table,
    },
    summary,
    trace::receptive_field,
    train::{
        Curve, FitSettings, MovedShapes, Permutation, Precision, Recipe, ShuffledPixels, evaluate, fit,
        moved_shapes, shuffled_pixels, train,
    },
    typed, with_weights,
};
pub use tch::{self, Device, IndexOp, Kind, Tensor};
