//! The manifest: every question of the course, once. A new one is an entry here
//! and a `quiz("id")` in its notebook; the tests run its layers in libtorch.

use super::question::{Ask::*, Question, Topic};
use Topic::{
    Batch, Channels, Convolution, Dilation, Flatten, Groups, Local, Nets, OneByOne, Padding, Pooling, Stride,
};

const WHY: &str = "01-why-convolution";
const CONVOLUTION: &str = "02-convolution";
const CHANNELS: &str = "03-channels";
const PADDING: &str = "04-padding-stride";
const POOLING: &str = "05-pooling";

/// Dark on the left, bright on the right.
const STEP: &str = "0 0 0 1 1 1 / 0 0 0 1 1 1 / 0 0 0 1 1 1 / 0 0 0 1 1 1 / 0 0 0 1 1 1";
/// The same, transposed: dark above, bright below.
const STEP_DOWN: &str = "0 0 0 0 0 / 0 0 0 0 0 / 0 0 0 0 0 / 1 1 1 1 1 / 1 1 1 1 1 / 1 1 1 1 1";
const VERTICAL: &str = "-1 0 1 / -1 0 1 / -1 0 1";
const HORIZONTAL: &str = "-1 -1 -1 / 0 0 0 / 1 1 1";

/// All questions, in the order of the course.
pub(super) fn questions() -> Vec<Question> {
    [local(), convolution(), channels(), batch(), one_by_one(), padding(), stride(), dilation()]
        .into_iter()
        .chain([pooling(), field(), parameters(), flatten(), groups(), nets()])
        .flatten()
        .collect()
}

fn local() -> Vec<Question> {
    vec![
        Question::new(
            "why1",
            Local,
            1,
            WHY,
            "All pictures are shuffled with one fixed permutation of their pixels, and both networks are trained \
             again. Which one does no worse than before?",
        )
        .letters(&[('F', "the fully connected network"), ('C', "the convolutional network")])
        .answer("F")
        .hint("Which of the two ever knew which pixels are neighbours?")
        .wrong("C", "a window looks at neighbours, and the shuffle tears neighbours apart")
        .wrong("F C", "one of them looks through windows, and behind the shuffle its neighbours are strangers")
        .why(
            "A fully connected unit sees a list of numbers; in another order it is as good a list. A convolution \
             was built on the knowledge that neighbours belong together.",
        ),
        Question::new(
            "why2",
            Local,
            1,
            WHY,
            "Each unit of a fully connected layer sees every value of a picture of 3x8x10. How many weights has \
             one unit, without its bias?",
        )
        .of("3x8x10", "flatten; linear 1", FilterWeights)
        .answer("240")
        .hint("It has one weight for each value it sees.")
        .hint("Count the values: channels times rows times columns.")
        .wrong("80", "that is one channel only; the picture has three"),
    ]
}

fn convolution() -> Vec<Question> {
    vec![
        Question::new(
            "conv1",
            Convolution,
            1,
            CONVOLUTION,
            "A filter of 2x2 slides over a grey picture of 3x3. How many numbers does it learn, its bias \
             included?",
        )
        .of("1x3x3", "conv 1 2x2", Parameters)
        .answer("5")
        .hint("Count the weights in the window.")
        .hint("And the one number that is added to every sum.")
        .wrong("9", "nine is the number of pixels; the filter has a weight for each place in its window"),
        Question::new(
            "conv2",
            Convolution,
            1,
            CONVOLUTION,
            "A filter of 2x2 slides over a picture of 3x3. How many rows and columns has the output?",
        )
        .of("1x3x3", "conv 1 2x2", OutputSize)
        .answer("2x2")
        .hint("In how many places can the window start, from left to right?"),
        Question::new(
            "conv3",
            Convolution,
            1,
            CONVOLUTION,
            "The picture is dark on the left and bright on the right: every row is 0 0 0 1 1 1. The filter is the \
             vertical edge, three rows of -1 0 1. Say the first row of the result.",
        )
        .picture("Six columns: three black, then three white. Beside it a 3x3 filter with the columns -1, 0, 1.")
        .of(STEP, VERTICAL, Row(0))
        .answer("0 3 3 0")
        .hint("Lay the filter on the first three columns, multiply, add up. All zero there.")
        .hint("One step to the right: the last column of the filter now lies on ones, three times.")
        .wrong("0 1 1 0", "you added up one row of the window; the filter has three")
        .wrong("0 3 0 0", "the edge is inside two windows: they overlap"),
        Question::new(
            "conv4",
            Convolution,
            1,
            CONVOLUTION,
            "Every row of the picture is 0 0 0 1 1 1. The filter is the horizontal edge: its rows are -1 -1 -1, \
             0 0 0, 1 1 1. Say the first row of the result.",
        )
        .picture("Six columns: three black, then three white. Beside it a 3x3 filter with the rows -1, 0, 1.")
        .of(STEP, HORIZONTAL, Row(0))
        .answer("0 0 0 0")
        .hint("Inside a window, what stands in the upper row and what in the lower?")
        .hint("Above counts -1, below counts +1, and they are alike.")
        .wrong("0 3 3 0", "that is the answer to the vertical filter; this one asks for an edge that lies"),
        Question::new(
            "conv5",
            Convolution,
            2,
            CONVOLUTION,
            "A picture that is dark above and bright below: three rows of 0, then three rows of 1, 5 \
             columns. The filter is the vertical edge, three rows of -1 0 1. Say the first row of the \
             result.",
        )
        .picture("Three black rows above three white rows.")
        .of(STEP_DOWN, VERTICAL, Row(0))
        .answer("0 0 0")
        .hint("Is there any place where left and right differ?"),
        Question::new(
            "conv6",
            Convolution,
            2,
            CONVOLUTION,
            "A picture that is dark above and bright below: three rows of 0, then three rows of 1, 5 \
             columns. The filter is the horizontal edge, rows of -1 -1 -1, 0 0 0, 1 1 1. Say the second row \
             of the result.",
        )
        .picture("Three black rows above three white rows.")
        .of(STEP_DOWN, HORIZONTAL, Row(1))
        .answer("3 3 3")
        .hint("The window of the second row covers rows 1 to 3, counted from 0.")
        .hint("Only its lowest row lies on ones.")
        .wrong("0 3 3 0", "the answer of the vertical filter, lying down: here the whole row is on the edge")
        .wrong("0 0 0", "that is the first row; the second one touches the bright part"),
        Question::new(
            "conv7",
            Convolution,
            1,
            CONVOLUTION,
            "A filter of 3x3 slides over a map of 8x8, without padding. How many rows and columns come out?",
        )
        .of("1x8x8", "conv 1 3x3", OutputSize)
        .answer("6x6")
        .hint("The first window starts at 0. Where does the last one start?"),
        Question::new(
            "conv8",
            Convolution,
            2,
            CONVOLUTION,
            "A vertical, a horizontal and a diagonal filter of 3x3 slide over a grey picture of 8x9. What is the \
             shape of the result?",
        )
        .of("1x8x9", "conv 3 3x3", Output)
        .answer("3x6x7")
        .hint("How many maps does one filter give?")
        .hint("The maps are stacked, like sheets of paper, on the channel axis.")
        .wrong(
            "1x6x7",
            "the maps are stacked, never added: added, nobody knows any more which feature was where",
        ),
        Question::new(
            "conv9",
            Convolution,
            2,
            CONVOLUTION,
            "A filter of 2x4 slides over a map of 7x9, without padding. How many rows and columns come out?",
        )
        .of("1x7x9", "conv 1 2x4", OutputSize)
        .answer("6x6")
        .hint("Rows first: a window of 2 rows on 7 rows.")
        .hint("Then columns: a window of 4 columns on 9 columns.")
        .wrong("4x8", "the filter has 2 rows and 4 columns, and you turned it: rows always stand first"),
        Question::new(
            "conv10",
            Convolution,
            2,
            CONVOLUTION,
            "Who chooses the numbers inside the filters of a trained network?",
        )
        .letters(&[
            ('A', "the engineer, from a book of filters"),
            ('B', "gradient descent, so that the loss falls"),
            ('C', "nobody: they stay as chance made them"),
        ])
        .answer("B")
        .hint("Weights are learned parameters, here as everywhere.")
        .wrong("A", "for the two edges we wrote them by hand; a network answers \"what should I look for?\" itself")
        .wrong("C", "chance is only where training begins"),
    ]
}

fn channels() -> Vec<Question> {
    vec![
        Question::new(
            "chan1",
            Channels,
            1,
            CHANNELS,
            "A colour picture has 3 channels. How many weights has one filter of 5x5 on it, without its \
             bias?",
        )
        .of("3x9x11", "conv 1 5x5", FilterWeights)
        .answer("75")
        .hint("A filter is as deep as what it is laid on.")
        .hint("Three sheets of 5x5, all different.")
        .wrong("25", "that is one sheet; the filter has one for each of the 3 channels"),
        Question::new(
            "chan2",
            Channels,
            1,
            CHANNELS,
            "One filter of 3x5x5 slides over a colour picture of 3x9x11. How many channels come out?",
        )
        .of("3x9x11", "conv 1 5x5", OutputChannels)
        .answer("1")
        .hint("All 75 products of a window are added up into one number."),
        Question::new(
            "chan3",
            Channels,
            1,
            CHANNELS,
            "Two filters of 3x5x5 slide over a colour picture of 3x9x11. How many channels come out?",
        )
        .of("3x9x11", "conv 2 5x5", OutputChannels)
        .answer("2")
        .hint("One filter, one map."),
        Question::new(
            "chan4",
            Channels,
            1,
            CHANNELS,
            "Two filters of 5x5 for a colour picture make a layer. What is the shape of its weight?",
        )
        .of("3x9x11", "conv 2 5x5", Weight)
        .answer("2x3x5x5")
        .hint("개채행열: how many, channels, rows, columns. How many filters?")
        .hint("Channels: as many as the picture has."),
        Question::new(
            "chan5",
            Channels,
            1,
            CHANNELS,
            "Two filters of 5x5 on a colour picture gave 2 maps. Filters of 3x3 are laid on those. How many \
             channels has each?",
        )
        .of("3x9x11", "conv 2 5x5; conv 3 3x3", FilterChannels)
        .answer("2")
        .hint("What is the new filter laid on: the picture, or the maps?"),
        Question::new(
            "chan6",
            Channels,
            1,
            CHANNELS,
            "Two filters of 5x5 on a colour picture gave 2 maps. On those slide three filters of 3x3. What \
             is the shape of the second layer's weight?",
        )
        .of("3x9x11", "conv 2 5x5; conv 3 3x3", Weight)
        .answer("3x2x3x3")
        .hint("The first number counts the filters.")
        .hint("The second is not yours to choose."),
        Question::new(
            "chan7",
            Channels,
            1,
            CHANNELS,
            "Three filters of 3x3 slide over 2 maps, which two filters made of a colour picture. How many \
             channels come out?",
        )
        .of("3x9x11", "conv 2 5x5; conv 3 3x3", OutputChannels)
        .answer("3")
        .hint("Count filters, not channels.")
        .wrong("6", "three filters with two channels each: every filter adds its channels up into one map"),
        Question::new(
            "a1",
            Channels,
            1,
            CHANNELS,
            "The input is 3x7x7, the filter's size is 3x3. How many channels has the filter?",
        )
        .of("3x7x7", "conv 10 3x3", FilterChannels)
        .answer("3")
        .hint("Could a filter with another number of channels be laid on this input?"),
        Question::new(
            "a2",
            Channels,
            1,
            CHANNELS,
            "The input is 3x7x7, the filter's size is 3x3, no padding. How many rows and columns come out?",
        )
        .of("3x7x7", "conv 10 3x3", OutputSize)
        .answer("5x5")
        .hint("3x3 takes 2 off each side length."),
        Question::new(
            "a3",
            Channels,
            1,
            CHANNELS,
            "The input is 3x7x7. Ten filters of 3x3 make the layer. What is the shape of its weight?",
        )
        .of("3x7x7", "conv 10 3x3", Weight)
        .answer("10x3x3x3")
        .hint("개채행열, for filters: how many of them, their channels, rows, columns.")
        .hint("Ten filters; each has the channels of the input."),
        Question::new(
            "a4",
            Channels,
            1,
            CHANNELS,
            "The input is 3x7x7. Ten filters of 3x3 slide over it, no padding. What is the shape of the \
             output?",
        )
        .of("3x7x7", "conv 10 3x3", Output)
        .answer("10x5x5")
        .hint("Ten filters give ten maps.")
        .hint("Each map has the rows and columns of quiz a2."),
        Question::new(
            "b1",
            Channels,
            1,
            CHANNELS,
            "The picture was 3x7x7; the first layer had ten filters of 3x3. Now filters of 3x3 are laid on its \
             output. How many channels has each?",
        )
        .of("3x7x7", "conv 10 3x3; conv 20 3x3", FilterChannels)
        .answer("10")
        .hint("Never mind the picture. What comes out of the layer before?"),
        Question::new(
            "b2",
            Channels,
            2,
            CHANNELS,
            "3x7x7, then ten filters of 3x3, then twenty filters of 3x3. What is the shape of the second layer's \
             weight?",
        )
        .of("3x7x7", "conv 10 3x3; conv 20 3x3", Weight)
        .answer("20x10x3x3")
        .hint("Write 개채행열 and fill it in from the left: how many filters?")
        .hint("Their channels: those of the layer before, not of the picture.")
        .hint("Rows and columns: the filter's size."),
        Question::new(
            "b3",
            Channels,
            1,
            CHANNELS,
            "3x7x7, then ten filters of 3x3, then twenty filters of 3x3, no padding. How many rows and columns come \
             out at the end?",
        )
        .of("3x7x7", "conv 10 3x3; conv 20 3x3", OutputSize)
        .answer("3x3")
        .hint("Take 2 off, twice.")
        .wrong("5x5", "that is what the first layer gives; there is a second one"),
        Question::new(
            "b4",
            Channels,
            2,
            CHANNELS,
            "3x7x7, then ten filters of 3x3, then twenty filters of 3x3, no padding. What is the shape of the \
             output?",
        )
        .of("3x7x7", "conv 10 3x3; conv 20 3x3", Output)
        .answer("20x3x3")
        .hint("The last layer's filters decide the channels.")
        .hint("7 becomes 5 becomes ..."),
        Question::new(
            "e1",
            Channels,
            2,
            CHANNELS,
            "A layer's weight has four numbers, N, C, H and W. Which of them do you choose?",
        )
        .letters(&[
            ('N', "how many filters"),
            ('C', "the channels of each"),
            ('H', "the rows of each"),
            ('W', "the columns of each"),
        ])
        .answer("N H W")
        .hint("How many features to look for, and in how large a window: who decides that?")
        .hint("And how deep must a filter be to be laid on its input?")
        .wrong("N C H W", "C is determined: a filter has the channels of what it is laid on")
        .wrong("H W", "how many filters there are is yours to say as well")
        .wrong("C", "the other way round: C is the only one that is determined")
        .why("개 N, 행 H and 열 W are yours. 채 C is the channel count of whatever comes in."),
        Question::new(
            "chan8",
            Channels,
            3,
            CHANNELS,
            "A layer's weight has the shape 24x16x3x5, and its input is 16x20x30. No padding. What is the shape of \
             the output?",
        )
        .of("16x20x30", "conv 24 3x5", Output)
        .answer("24x18x26")
        .hint("The first number of the weight is the number of filters.")
        .hint("3 rows take 2 off, 5 columns take 4 off."),
        Question::new(
            "chan9",
            Channels,
            3,
            CHANNELS,
            "Satellite pictures have 13 channels, 40 rows and 64 columns. A layer gives 6x36x58 of them, without \
             padding and with steps of 1. What is the shape of its weight?",
        )
        .of("13x40x64", "conv 6 5x7", Weight)
        .answer("6x13x5x7")
        .hint("6 maps come out. So how many filters?")
        .hint("40 rows became 36: how many rows has a window that takes 4 off?"),
    ]
}

fn batch() -> Vec<Question> {
    vec![
        Question::new(
            "c1",
            Batch,
            2,
            CHANNELS,
            "32 pictures of 3x7x7 go through ten filters of 3x3, no padding. What is the shape of the \
             output?",
        )
        .of("32x3x7x7", "conv 10 3x3", Output)
        .answer("32x10x5x5")
        .hint("Each picture gives ten maps of 5x5, and there are 32 pictures."),
        Question::new(
            "c2",
            Batch,
            2,
            CHANNELS,
            "32 pictures of 3x7x7, then ten filters of 3x3, then twenty filters of 3x3. What is the shape at the \
             end?",
        )
        .of("32x3x7x7", "conv 10 3x3; conv 20 3x3", Output)
        .answer("32x20x3x3")
        .hint("One picture gives 20x3x3. How many pictures are there?"),
        Question::new(
            "c3",
            Batch,
            2,
            CHANNELS,
            "32 pictures of 3x7x7 go through ten filters of 3x3. What is the shape of the layer's weight?",
        )
        .of("32x3x7x7", "conv 10 3x3", Weight)
        .answer("10x3x3x3")
        .hint("Does the layer change when a 33rd picture comes along?")
        .hint("A model is defined for one picture and applied 32 times."),
        Question::new(
            "c4",
            Batch,
            2,
            CHANNELS,
            "32 pictures of 3x7x7, then ten filters of 3x3, then twenty filters of 3x3. What is the shape of the \
             second layer's weight?",
        )
        .of("32x3x7x7", "conv 10 3x3; conv 20 3x3", Weight)
        .answer("20x10x3x3")
        .hint("Write it for one picture. Then think whether 32 pictures change it."),
        Question::new(
            "batch1",
            Batch,
            2,
            CHANNELS,
            "The batch grows from 32 to 64 pictures. How many parameters has a layer of ten 3x3 filters on 3 \
             channels now?",
        )
        .of("64x3x7x7", "conv 10 3x3", Parameters)
        .answer("280")
        .hint("Which of its numbers has to do with the batch?")
        .hint("Ten filters of 3x3x3 weights, and ten biases.")
        .wrong("560", "twice the pictures, but the same filters: nothing new is learned"),
    ]
}

fn one_by_one() -> Vec<Question> {
    vec![
        Question::new("d1", OneByOne, 2, CHANNELS, "What does a 1x1 convolution compute?")
            .letters(&[
                ('A', "nothing: it gives the picture back"),
                ('B', "a weighted sum of the maps, place by place"),
                ('C', "the mean of each map"),
            ])
            .answer("B")
            .hint("Its window is one place wide. What does it add up there?")
            .hint("One weight for each channel, laid over whole maps.")
            .wrong("A", "that would be so with one channel and the weight 1; here the channels are mixed")
            .wrong("C", "the mean of each map is global average pooling; a 1x1 window never leaves its place")
            .why(
                "Each map gets one weight, and the weighted maps are added. Learning the weights is learning which \
                 features matter more.",
            ),
        Question::new(
            "one1",
            OneByOne,
            1,
            CHANNELS,
            "One filter of 1x1 is laid on 3 maps. What is the shape of its weight?",
        )
        .of("3x6x8", "conv 1 1x1", Weight)
        .answer("1x3x1x1")
        .hint("One filter, and as deep as ever."),
        Question::new(
            "one2",
            OneByOne,
            1,
            CHANNELS,
            "At one place three maps have the values 2, 5 and 7. A 1x1 filter has the weights 1, 1, 0 and no bias. \
             What comes out at this place?",
        )
        .of("2 | 5 | 7", "1 | 1 | 0", Row(0))
        .answer("7")
        .hint("One weight for each map: multiply, then add.")
        .wrong("14", "the third map has the weight 0: it is not asked")
        .wrong("7 7 7", "the maps are added up: one filter gives one value"),
        Question::new(
            "one3",
            OneByOne,
            2,
            CHANNELS,
            "64 maps of 14x10 go through sixteen filters of 1x1. What is the shape of the output?",
        )
        .of("64x14x10", "conv 16 1x1", Output)
        .answer("16x14x10")
        .hint("A 1x1 window fits everywhere, so nothing is taken off.")
        .hint("Sixteen weighted sums of the 64 maps."),
        Question::new(
            "one4",
            OneByOne,
            3,
            CHANNELS,
            "Sixteen filters of 1x1 are laid on 64 maps. How many parameters has the layer, biases included?",
        )
        .of("64x14x10", "conv 16 1x1", Parameters)
        .answer("1040")
        .hint("One weight for each channel in each filter.")
        .hint("16*64 weights, and a bias for each filter."),
    ]
}

fn padding() -> Vec<Question> {
    vec![
        Question::new(
            "pad1",
            Padding,
            1,
            PADDING,
            "A map of 8x10, filters of 3x3, padding 1. How many rows and columns come out?",
        )
        .of("1x8x10", "conv 1 3x3 padding 1", OutputSize)
        .answer("8x10")
        .hint("Padding 1 puts a row above and one below.")
        .hint("What padding adds, the window takes off."),
        Question::new(
            "pad2",
            Padding,
            2,
            PADDING,
            "Which padding keeps 9x12 at 9x12 with filters of 5x5 and steps of 1?",
        )
        .of("1x9x12", "conv 1 5x5 padding ?", Unknown("padding"))
        .answer("2")
        .hint("A 5x5 filter takes 4 off each side length.")
        .hint("Padding adds on both sides.")
        .wrong("4", "4 in all is right, and padding is counted on each side: half of it")
        .wrong("1", "that is the padding for 3x3")
        .wrong("5", "the padding is not the window: a window of 5 takes 4 off, half of it on each side"),
        Question::new(
            "pad3",
            Padding,
            2,
            PADDING,
            "6 filters of 3x7 with padding 1 on an input of 4x11x13. What is the shape of the output?",
        )
        .of("4x11x13", "conv 6 3x7 padding 1", Output)
        .answer("6x11x9")
        .hint("Rows and columns one after the other: the padding is the same, the window is not.")
        .hint("13 + 2 columns, and a window of 7 takes 6 off."),
        Question::new(
            "pad4",
            Padding,
            2,
            PADDING,
            "A filter of 4x4, an even size, with padding 2 on a map of 10x15. How many rows and columns \
             come out?",
        )
        .of("1x10x15", "conv 1 4x4 padding 2", OutputSize)
        .answer("11x16")
        .hint("10 + 2*2, less 3.")
        .wrong("10x15", "with an even window no equal padding on both sides gives the same size back"),
        Question::new(
            "pad5",
            Padding,
            3,
            PADDING,
            "12 filters of 7x7 on 3x21x33, and the output is 12x19x31. Which padding was used?",
        )
        .of("3x21x33", "conv 12 7x7 padding ?", Unknown("padding"))
        .answer("2")
        .hint("Without padding, 7x7 would take 6 off.")
        .hint("Only 2 are missing: so 4 were added, on two sides.")
        .wrong("4", "4 rows in all, and that is 2 on each side"),
        Question::new(
            "pad6",
            Padding,
            3,
            PADDING,
            "16 pictures of 3x20x26 go through 8 filters of 4x4 with \"same\" padding. What is the shape of the \
             output?",
        )
        .of("16x3x20x26", "conv 8 4x4 padding same", Output)
        .answer("16x8x20x26")
        .hint("\"Same\" padding adds whatever keeps the size; with an even window one side gets one more."),
        Question::new(
            "pad7",
            Padding,
            2,
            PADDING,
            "Does padding change the shape of a weight? Five filters of 3x3 with padding 1 on 2x9x7: what is the \
             shape of the weight?",
        )
        .of("2x9x7", "conv 5 3x3 padding 1", Weight)
        .answer("5x2x3x3")
        .hint("The padding is put around the picture, not around the filter.")
        .wrong("5x2x5x5", "the padding belongs to the picture; the filter stays 3x3"),
    ]
}

fn stride() -> Vec<Question> {
    vec![
        Question::new(
            "stride1",
            Stride,
            1,
            PADDING,
            "A map of 7x9, a filter of 3x3, stride 2, no padding. How many rows and columns come out?",
        )
        .of("1x7x9", "conv 1 3x3 stride 2", OutputSize)
        .answer("3x4")
        .hint("Write down where the windows start: 0, 2, 4, ...")
        .hint("The last window must still fit."),
        Question::new(
            "stride2",
            Stride,
            2,
            PADDING,
            "A map of 8x11, a filter of 3x3, stride 2, no padding. How many rows and columns come out?",
        )
        .of("1x8x11", "conv 1 3x3 stride 2", OutputSize)
        .answer("3x5")
        .hint("8 rows: windows start at 0, 2, 4. Would one at 6 fit?")
        .hint("(8 - 3) / 2 is two and a half. Half a step is no step."),
        Question::new(
            "stride3",
            Stride,
            2,
            PADDING,
            "16 filters of 3x3 with stride 2 and padding 1 on 3x32x48. What is the shape of the output?",
        )
        .of("3x32x48", "conv 16 3x3 stride 2 padding 1", Output)
        .answer("16x16x24")
        .hint("Padding first: 32 + 2*1 rows.")
        .hint("(34 - 3) / 2 is fifteen and a half; floor, then add 1."),
        Question::new(
            "stride4",
            Stride,
            3,
            PADDING,
            "A filter of 5x3 with stride 3x2 (three rows, two columns at a time), no padding, on a map of 19x14. \
             How many rows and columns come out?",
        )
        .of("1x19x14", "conv 1 5x3 stride 3x2", OutputSize)
        .answer("5x6")
        .hint("Rows: (19 - 5) / 3. Columns: (14 - 3) / 2.")
        .hint("Floor each, then add 1."),
        Question::new(
            "stride5",
            Stride,
            3,
            PADDING,
            "8 filters of 5x5 with padding 2 turn 3x40x60 into 8x10x15. Which stride was used?",
        )
        .of("3x40x60", "conv 8 5x5 padding 2 stride ?", Unknown("stride"))
        .answer("4")
        .hint("40 rows became 10.")
        .wrong("2", "stride 2 would give 20 rows and 30 columns"),
        Question::new(
            "stride6",
            Stride,
            4,
            PADDING,
            "The first layer of a famous net: 64 filters of 7x7, stride 2, padding 3, on 3x224x224. What is the \
             shape of the output?",
        )
        .of("3x224x224", "conv 64 7x7 stride 2 padding 3", Output)
        .answer("64x112x112")
        .hint("224 + 2*3 - 7 = 223 places to move over.")
        .hint("By twos: floor(223 / 2) + 1."),
        Question::new(
            "stride7",
            Stride,
            3,
            PADDING,
            "A map of 10x12, a filter of 3x3, stride 4, no padding. How many columns at the right edge lie \
             behind the last window?",
        )
        .of("1x10x12", "conv 1 3x3 stride 4", UnreadColumns)
        .answer("1")
        .hint("Windows start at columns 0, 4, 8.")
        .hint("The last one covers 8, 9 and 10.")
        .wrong("2", "the last window covers columns 8, 9 and 10; column 11 is the only one behind it")
        .wrong("0", "the columns are counted from 0 to 11, and the last window ends at 10"),
    ]
}

fn dilation() -> Vec<Question> {
    vec![
        Question::new(
            "dilate1",
            Dilation,
            2,
            PADDING,
            "A filter of 3x3 with dilation 2 has a gap of one between its weights. How many rows and columns come \
             out of a map of 9x12?",
        )
        .of("1x9x12", "conv 1 3x3 dilation 2", OutputSize)
        .answer("5x8")
        .hint("From its first to its last weight the window now covers 5 places.")
        .hint("So it takes 4 off."),
        Question::new(
            "dilate2",
            Dilation,
            2,
            PADDING,
            "How many weights has one filter of 3x3 with dilation 2 on 6 channels, without its bias?",
        )
        .of("6x9x12", "conv 1 3x3 dilation 2", FilterWeights)
        .answer("54")
        .hint("A gap holds no weight.")
        .wrong("150", "that counts the gaps, as if it were a 5x5 filter; there is nothing to learn in a gap"),
        Question::new(
            "dilate3",
            Dilation,
            3,
            PADDING,
            "Which padding keeps the size with filters of 3x3 and dilation 3 on 14x17?",
        )
        .of("1x14x17", "conv 1 3x3 dilation 3 padding ?", Unknown("padding"))
        .answer("3")
        .hint("The window covers 3*(3-1)+1 = 7 places, so it takes 6 off.")
        .wrong("1", "that keeps the size without dilation; the gaps make the window wider")
        .wrong("6", "6 in all is right; padding is counted on each side"),
        Question::new(
            "dilate4",
            Dilation,
            4,
            PADDING,
            "10 filters of 3x3, dilation 2, stride 2, padding 1, on 5x23x30. What is the shape of the \
             output?",
        )
        .of("5x23x30", "conv 10 3x3 dilation 2 stride 2 padding 1", Output)
        .answer("10x11x14")
        .hint("The window covers 5 places.")
        .hint("Rows: 23 + 2 - 5 = 20 places to move over, by twos.")
        .hint("Columns: 27 places to move over, by twos: floor."),
        Question::new(
            "dilate5",
            Dilation,
            3,
            PADDING,
            "A filter of 3x5 with dilation 2: how many rows and columns of the input does one value see?",
        )
        .of("1x20x20", "conv 1 3x5 dilation 2", Field)
        .answer("5x9")
        .hint("Three weights with two gaps of one between them.")
        .wrong("6x10", "behind the last weight there is no gap: 2*(3-1)+1 rows"),
    ]
}

fn pooling() -> Vec<Question> {
    vec![
        Question::new(
            "pool1",
            Pooling,
            1,
            POOLING,
            "12 maps of 8x6 go through max pooling of 2x2. What is the shape of the output?",
        )
        .of("12x8x6", "maxpool 2", Output)
        .answer("12x4x3")
        .hint("Every region of 2x2 sends one representative.")
        .hint("Does pooling mix channels?"),
        Question::new(
            "pool2",
            Pooling,
            1,
            POOLING,
            "How many channels come out when 10 maps are max pooled with windows of 2x2?",
        )
        .of("10x8x6", "maxpool 2", OutputChannels)
        .answer("10")
        .hint("Each channel is pooled by itself."),
        Question::new(
            "pool3",
            Pooling,
            1,
            POOLING,
            "How many parameters does max pooling of 2x2 on 10 maps have?",
        )
        .of("10x8x6", "maxpool 2", Parameters)
        .answer("0")
        .hint("Is there anything to learn in \"take the largest\"?")
        .wrong("4", "the window has four places, and no weight in any of them")
        .wrong("40", "the window has four places, and no weight in any of them"),
        Question::new(
            "pool4",
            Pooling,
            1,
            POOLING,
            "5 maps of 4x4 are average pooled with a window of 4x4. What is the shape of the output?",
        )
        .of("5x4x4", "avgpool 4", Output)
        .answer("5x1x1")
        .hint("The window is as large as the map: that is global average pooling."),
        Question::new(
            "pool5",
            Pooling,
            2,
            POOLING,
            "32 pictures of 128x4x7 go through global average pooling. What is the shape of the output?",
        )
        .of("32x128x4x7", "gap", Output)
        .answer("32x128x1x1")
        .hint("One mean for each channel of each picture.")
        .wrong("32x1x1x1", "the mean is taken in each channel by itself, not over all of them")
        .wrong("1x128x1x1", "the mean is taken in each picture by itself"),
        Question::new(
            "pool6",
            Pooling,
            2,
            POOLING,
            "6 maps of 15x11 go through max pooling of 2x2. What is the shape of the output?",
        )
        .of("6x15x11", "maxpool 2", Output)
        .answer("6x7x5")
        .hint("15 rows make seven regions of 2, and one row is left over.")
        .hint("What does not fill a region is dropped."),
        Question::new(
            "pool7",
            Pooling,
            3,
            POOLING,
            "6 maps of 15x11 go through max pooling of 2x2 in ceil mode. What is the shape of the output?",
        )
        .of("6x15x11", "maxpool 2 ceil", Output)
        .answer("6x8x6")
        .hint("In ceil mode the row that is left over gets a region of its own."),
        Question::new(
            "pool8",
            Pooling,
            3,
            POOLING,
            "9 maps of 13x17 go through max pooling of 3x3 with stride 2 (the windows overlap). What is the shape \
             of the output?",
        )
        .of("9x13x17", "maxpool 3 stride 2", Output)
        .answer("9x6x8")
        .hint("(13 - 3) / 2 + 1 rows.")
        .wrong("9x4x5", "you moved the window by its own size; here the stride is given: 2"),
        Question::new(
            "pool9",
            Pooling,
            4,
            POOLING,
            "64 maps of 112x112 go through max pooling of 3x3, stride 2, padding 1. What is the shape of the \
             output?",
        )
        .of("64x112x112", "maxpool 3 stride 2 padding 1", Output)
        .answer("64x56x56")
        .hint("112 + 2 - 3 = 111 places to move over, by twos."),
        Question::new(
            "pool10",
            Pooling,
            2,
            POOLING,
            "A map of 1x18x24 shall become 1x6x8. How large is the pooling window?",
        )
        .of("1x18x24", "maxpool ?", Unknown("size"))
        .answer("3")
        .hint("How many rows share one representative?")
        .wrong("2", "windows of 2x2 would leave 9 rows and 12 columns")
        .wrong("9", "it is 9 places that share one value: 3 rows of 3 columns"),
    ]
}

fn field() -> Vec<Question> {
    vec![
        Question::new(
            "field1",
            Topic::Field,
            1,
            POOLING,
            "A picture is max pooled twice with 2x2. For how many rows (and columns) of it does one value \
             stand?",
        )
        .of("1x16x16", "maxpool 2; maxpool 2", FieldSide)
        .answer("4")
        .hint("One value after the second pooling stands for 2x2 values after the first.")
        .hint("And each of those for 2x2 of the picture."),
        Question::new(
            "field2",
            Topic::Field,
            2,
            PADDING,
            "Two layers of 3x3 filters, one after the other. How many rows (and columns) of the input does one \
             value see?",
        )
        .of("1x16x16", "conv 1 3x3; conv 1 3x3", FieldSide)
        .answer("5")
        .hint("Draw it for one row: a value sees 3 values, the outer ones see one more each."),
        Question::new(
            "field3",
            Topic::Field,
            2,
            PADDING,
            "Three layers of 3x3 filters, one after the other. How many rows (and columns) of the input \
             does one value see?",
        )
        .of("1x16x16", "conv 1 3x3; conv 1 3x3; conv 1 3x3", FieldSide)
        .answer("7")
        .hint("Every layer of 3x3 adds one place on each side."),
        Question::new(
            "field4",
            Topic::Field,
            3,
            PADDING,
            "A layer of 3x3 with stride 2, then a layer of 3x3 with stride 1. How many rows (and columns) of the \
             input does one value see?",
        )
        .of("1x24x24", "conv 1 3x3 stride 2; conv 1 3x3", FieldSide)
        .answer("7")
        .hint("Neighbours in the first output are 2 apart in the input.")
        .hint("So the second layer adds 2*2 to the first layer's 3."),
        Question::new(
            "field5",
            Topic::Field,
            4,
            POOLING,
            "conv 3x3, pool 2x2, conv 3x3, pool 2x2. How many rows (and columns) of the input does one value see at \
             the end?",
        )
        .of("1x32x32", "conv 1 3x3; maxpool 2; conv 1 3x3; maxpool 2", FieldSide)
        .answer("10")
        .hint("After the first pooling a value sees 4, and neighbours are 2 apart.")
        .hint("The second conv adds 2 steps of 2; the second pooling one step of 2.")
        .wrong("4", "that is what two poolings see alone; the filters widen it"),
        Question::new(
            "field6",
            Topic::Field,
            4,
            PADDING,
            "A filter of 3x5, then one of 5x3, both with stride 1. How many rows and columns of the input does one \
             value see?",
        )
        .of("1x24x24", "conv 1 3x5; conv 1 5x3", Field)
        .answer("7x7")
        .hint("Rows: 3, and 5 - 1 more. Columns likewise."),
    ]
}

fn parameters() -> Vec<Question> {
    vec![
        Question::new(
            "params1",
            Topic::Parameters,
            1,
            CHANNELS,
            "Ten filters of 3x3 on 3 channels. How many parameters has the layer, biases included?",
        )
        .of("3x7x7", "conv 10 3x3", Parameters)
        .answer("280")
        .hint("10*3*3*3 weights.")
        .hint("And a bias for each filter."),
        Question::new(
            "params2",
            Topic::Parameters,
            2,
            CHANNELS,
            "3x7x7, then ten filters of 3x3, then twenty filters of 3x3. How many parameters has the second layer, \
             biases included?",
        )
        .of("3x7x7", "conv 10 3x3; conv 20 3x3", Parameters)
        .answer("1820")
        .hint("Write its weight's shape first (quiz b2).")
        .hint("20*10*3*3, and 20 biases."),
        Question::new(
            "params3",
            Topic::Parameters,
            2,
            CHANNELS,
            "The picture grows from 3x7x7 to 3x70x90. How many parameters has a layer of ten 3x3 filters on \
             it?",
        )
        .of("3x70x90", "conv 10 3x3", Parameters)
        .answer("280")
        .hint("The same weights are used at every place.")
        .hint("More places, the same filters."),
        Question::new(
            "params4",
            Topic::Parameters,
            3,
            CHANNELS,
            "Eight filters of 5x5 on 4 channels, without biases. How many parameters has the layer?",
        )
        .of("4x20x30", "conv 8 5x5 nobias", Parameters)
        .answer("800")
        .hint("개채행열, multiplied: 8*4*5*5.")
        .wrong("808", "these filters have no bias"),
        Question::new(
            "params5",
            Topic::Parameters,
            3,
            POOLING,
            "3x12x14, then six filters of 3x3, then max pooling of 2x2, then nine filters of 3x3. How many \
             parameters are there in all?",
        )
        .of("3x12x14", "conv 6 3x3; maxpool 2; conv 9 3x3", AllParameters)
        .answer("663")
        .hint("6*3*3*3 + 6 in the first layer, none in the pooling.")
        .hint("The last layer's filters have 6 channels."),
        Question::new(
            "params6",
            Topic::Parameters,
            4,
            PADDING,
            "Seven 7x7 filters on 7 channels, or three layers of seven 3x3 filters each, one after the other: both \
             see 7x7. How many parameters have the three layers, biases included?",
        )
        .of("7x20x30", "conv 7 3x3; conv 7 3x3; conv 7 3x3", AllParameters)
        .answer("1344")
        .hint("One such layer: 7*7*3*3 weights and 7 biases.")
        .hint("Three times that; the one large layer has 2408.")
        .wrong("448", "that is one of the three layers")
        .wrong("2408", "that is the layer of 7x7 filters; the three small ones have fewer"),
    ]
}

fn flatten() -> Vec<Question> {
    vec![
        Question::new(
            "flat1",
            Flatten,
            1,
            POOLING,
            "20 maps of 3x4 are flattened. How many values has one picture then?",
        )
        .of("20x3x4", "flatten", Features)
        .answer("240")
        .hint("Every value keeps its place in a long row: count them."),
        Question::new(
            "flat2",
            Flatten,
            2,
            POOLING,
            "32 pictures of 20x3x4 are flattened. What is the shape?",
        )
        .of("32x20x3x4", "flatten", Output)
        .answer("32x240")
        .hint("Flatten joins channels, rows and columns.")
        .hint("The pictures stay apart: N is kept.")
        .wrong("7680x1", "each picture is flattened by itself: the 32 stay apart"),
        Question::new(
            "flat3",
            Flatten,
            3,
            POOLING,
            "3x12x14, then ten filters of 3x3, then max pooling of 2x2, then flatten. How many values has one \
             picture?",
        )
        .of("3x12x14", "conv 10 3x3; maxpool 2; flatten", Features)
        .answer("300")
        .hint("Write the shape after each layer.")
        .hint("10x10x12, then 10x5x6."),
        Question::new(
            "flat4",
            Flatten,
            3,
            POOLING,
            "8 maps of 5x6 are flattened, and three nodes follow, one for each class. How many parameters have \
             those nodes, biases included?",
        )
        .of("8x5x6", "flatten; linear 3", Parameters)
        .answer("723")
        .hint("Each node sees every value: 8*5*6 of them.")
        .hint("And has a bias."),
        Question::new(
            "flat5",
            Flatten,
            3,
            POOLING,
            "Instead of flattening 8 maps of 5x6, they go through global average pooling first. How many values has \
             one picture after the flatten?",
        )
        .of("8x5x6", "gap; flatten", Features)
        .answer("8")
        .hint("One mean for each channel.")
        .wrong("240", "that is flatten alone; the pooling left one value for each map"),
        Question::new(
            "flat6",
            Flatten,
            4,
            POOLING,
            "1x28x36, then six filters of 5x5, max pooling of 2x2, sixteen filters of 5x5, max pooling of 2x2, \
             flatten. How many values has one picture?",
        )
        .of("1x28x36", "conv 6 5x5; maxpool 2; conv 16 5x5; maxpool 2; flatten", Features)
        .answer("384")
        .hint("Rows: 28, 24, 12, 8, 4.")
        .hint("Columns: 36, 32, 16, 12, 6."),
    ]
}

fn groups() -> Vec<Question> {
    vec![
        Question::new(
            "groups1",
            Groups,
            3,
            CHANNELS,
            "8 channels are split into 2 groups; each of 6 filters of 3x3 sees one group only. What is the shape of \
             the weight?",
        )
        .of("8x9x11", "conv 6 3x3 groups 2", Weight)
        .answer("6x4x3x3")
        .hint("How many channels does one filter see?")
        .why("C is still not yours to choose: it is the channel count of the group the filter is laid on."),
        Question::new(
            "groups2",
            Groups,
            3,
            CHANNELS,
            "8 channels in 2 groups, 6 filters of 3x3, no padding, on 8x9x11. What is the shape of the \
             output?",
        )
        .of("8x9x11", "conv 6 3x3 groups 2", Output)
        .answer("6x7x9")
        .hint("Groups change what a filter sees, not how many filters there are."),
        Question::new(
            "groups3",
            Groups,
            4,
            CHANNELS,
            "Depthwise: 12 channels, 12 groups, 12 filters of 3x3. How many parameters has the layer, biases \
             included?",
        )
        .of("12x9x11", "conv 12 3x3 groups 12", Parameters)
        .answer("120")
        .hint("Each filter sees one channel.")
        .hint("12*1*3*3 weights, 12 biases."),
        Question::new(
            "groups4",
            Groups,
            4,
            CHANNELS,
            "Twelve filters of 3x3 on 18 channels give a weight of 12x3x3x3. How many groups are there?",
        )
        .of("18x10x13", "conv 12 3x3 groups ?", Unknown("groups"))
        .answer("6")
        .hint("One filter sees 3 of the 18 channels.")
        .wrong("3", "3 is how many channels one filter sees; how many such shares make 18?")
        .wrong("12", "12 is the number of filters; several of them share a group"),
    ]
}

const BLOCK1: &str = "conv 32 3x3 padding 1; conv 32 3x3 padding 1; maxpool 2";
const BLOCK2: &str = "conv 64 3x3 padding 1; conv 64 3x3 padding 1; conv 64 3x3 padding 1; maxpool 2";

fn nets() -> Vec<Question> {
    let two = format!("{BLOCK1}; {BLOCK2}");
    let third = format!("{two}; conv 128 3x3 padding 1");
    let all = format!("{third}; conv 128 3x3 padding 1; conv 128 3x3 padding 1; maxpool 2");
    vec![
        Question::new(
            "net1",
            Nets,
            2,
            POOLING,
            "The network of the lecture, on 3x32x32: two layers of 32 filters, then max pooling of 2x2. All filters \
             are 3x3 with padding 1. What is the shape after this first block?",
        )
        .of("3x32x32", BLOCK1, Output)
        .answer("32x16x16")
        .hint("3x3 with padding 1 keeps the size; only the pooling halves it."),
        Question::new(
            "net2",
            Nets,
            3,
            POOLING,
            "Two layers of 32 filters, a pooling of 2x2; three layers of 64 filters, a pooling of 2x2; then \
             a layer of 128 filters. All filters are 3x3, and a colour picture goes in. What is the shape \
             of the weight of the last layer?",
        )
        .of("3x32x32", &third, Weight)
        .answer("128x64x3x3")
        .hint("What comes out of the second block?")
        .hint("The pooling in between changes no channels."),
        Question::new(
            "net3",
            Nets,
            3,
            POOLING,
            "Blocks of 32, 64 and 128 maps, each with filters of 3x3 and padding 1, each with a pooling of 2x2 at \
             its end. 3x32x32 goes in. What is the shape at the end?",
        )
        .of("3x32x32", &all, Output)
        .answer("128x4x4")
        .hint("32 is halved three times."),
        Question::new(
            "net4",
            Nets,
            3,
            POOLING,
            "A network ends with 128 maps of 4x4: 3x32x32 has gone through three blocks of 32, 64 and 128 \
             filters (3x3, padding 1), each with a pooling of 2x2. How many values does the MLP get for one \
             picture, after the flatten?",
        )
        .of("3x32x32", &format!("{all}; flatten"), Features)
        .answer("2048")
        .hint("Flatten the 128 maps of 4x4."),
        Question::new(
            "net5",
            Nets,
            4,
            POOLING,
            "64 pictures of 3x32x32 go through a block of 32 filters and a block of 64 filters (3x3, \
             padding 1), each with a pooling of 2x2 at its end. What is the shape then?",
        )
        .of("64x3x32x32", &two, Output)
        .answer("64x64x8x8")
        .hint("There are 64 pictures, and 64 maps of each: two numbers that only look alike."),
        Question::new(
            "net6",
            Nets,
            4,
            POOLING,
            "How many rows (and columns) of the picture does one value see after the first block (3x3, 3x3, pool \
             2x2)?",
        )
        .of("3x32x32", BLOCK1, FieldSide)
        .answer("6")
        .hint("3, then 5, then the pooling adds one neighbour."),
    ]
}
