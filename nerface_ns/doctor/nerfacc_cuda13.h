// Lets nerfacc 0.5.x compile against CUDA 13, unmodified: nvcc reads this file first (`-include`).
// CUDA 13 removed `cub::Equality`, and its host headers declare C++20's `std::lerp`, which clashes with nerfacc's own.
#pragma once
#if defined(__cplusplus)

#include <cmath>

#include <ATen/cuda/CUDAContext.h>
#include <torch/extension.h>

namespace cub {
struct Equality {
  template <typename T, typename U>
  __host__ __device__ __forceinline__ constexpr bool operator()(const T &a, const U &b) const {
    return a == b;
  }
};
}  // namespace cub

// After every system header: only nerfacc's own functions are renamed.
#define lerp nerfacc_lerp

#endif
