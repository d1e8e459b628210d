// Compiled in front of torch-sys's C++ files: the same wrapper, but an error
// carries libtorch's sentence and not thirty lines of C++ frames, which say
// nothing to a learner.
#pragma once
#include "torch_api.h"
#undef PROTECT
#define PROTECT(x)                                        \
  try {                                                   \
    x                                                     \
  } catch (const c10::Error& e) {                         \
    torch_last_err = strdup(e.what_without_backtrace());  \
  } catch (const exception& e) {                          \
    torch_last_err = strdup(e.what());                    \
  }
