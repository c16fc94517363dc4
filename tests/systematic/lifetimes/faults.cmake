# The faults that otpp_lifetimes must find by itself, without a sanitizer; read by nap.cmake, which puts them into its
# copy of the headers, and by CMakeLists.txt, which makes a test of each.
#
# plant(<number> <name> <header> <original> <mutated>): one of the two is run. Both are expressions, or both whole
#   statements.
# plant_text(<number> <name> <header> <original> <with both>): asks is_planted() itself.
# The original must stand in the header exactly once.

plant(1 shutdown_does_not_wait detail/runtime/impl/context_state.hpp
  [[gate_.load(std::memory_order_acquire) != nobody_else]]
  [[(gate_.load(std::memory_order_acquire), false)]]
)
plant(2 deregister_forgotten detail/reply/reply_slot.hpp
  [[context().deregister(*this);]]
  [[static_cast<void>(0);]]
)
plant_text(3 waiters_outlive_their_context detail/runtime/impl/context_state.hpp
  [[      erase(*one);
    }
    one->on_context_destroyed();]]
  [[      erase(*one);
    }
    if (!::lifetimes::is_planted(3)) {
      one->on_context_destroyed();
    }]]
)
plant(4 executors_destroyed_in_the_lock detail/runtime/impl/lane.hpp
  [[destroyed_in_the_gate = unused->take_executors();]]
  [[static_cast<void>(unused->take_executors());]]
)
plant(5 refusal_ignored detail/runtime/process.hpp
  [[activation::drop(*this);]]
  [[static_cast<void>(0);]]
)
plant(6 kept_lanes_not_released detail/runtime/impl/context_state.hpp
  [[here->release();]]
  [[static_cast<void>(0);]]
)
plant(7 answered_outside_of_the_gate detail/reply/reply_slot.hpp
  [[!result.inside_ && !context().enter()]]
  [[!result.inside_ && (context().enter(), false)]]
)
