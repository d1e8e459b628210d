// CUDA graphs for Rust: the operations of a piece of work are recorded once, and then a GPU repeats all of them after
// one call. tch has no functions for this. Each function here returns null, or a message that `nchw_message_free` frees:
// a C++ exception must not reach Rust.
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

#include <cstdlib>
#include <cstring>
#include <exception>

namespace {

template <class Work>
char *message_of(Work work) {
  try {
    work();
    return nullptr;
  } catch (const c10::Error &error) {
    return strdup(error.what_without_backtrace());
  } catch (const std::exception &error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("an unknown C++ exception");
  }
}

}  // namespace

extern "C" {

void nchw_message_free(char *message) { std::free(message); }

// From now on, this thread computes on a stream of its own, because the default stream cannot be recorded.
char *nchw_stream_own() {
  return message_of([] {
    c10::cuda::device_synchronize();
    c10::cuda::setCurrentCUDAStream(c10::cuda::getStreamFromPool());
  });
}

// From now on, this thread computes on the default stream again.
char *nchw_stream_default() {
  return message_of([] {
    c10::cuda::device_synchronize();
    c10::cuda::setCurrentCUDAStream(c10::cuda::getDefaultCUDAStream());
  });
}

// Begins a recording on the current stream: operations are noted and not computed.
char *nchw_graph_begin(void **graph) {
  *graph = nullptr;
  return message_of([graph] {
    auto *recording = new at::cuda::CUDAGraph();
    *graph = recording;
    recording->capture_begin();
  });
}

char *nchw_graph_end(void *graph) {
  return message_of([graph] { static_cast<at::cuda::CUDAGraph *>(graph)->capture_end(); });
}

// Repeats the recorded operations on the current stream. Does not wait for them.
char *nchw_graph_replay(void *graph) {
  return message_of([graph] { static_cast<at::cuda::CUDAGraph *>(graph)->replay(); });
}

char *nchw_graph_free(void *graph) {
  return message_of([graph] { delete static_cast<at::cuda::CUDAGraph *>(graph); });
}

}  // extern "C"
