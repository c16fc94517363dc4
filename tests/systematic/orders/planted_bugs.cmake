# A copy of include/ with bugs in it, each behind `if (otpp_planted_bug == n)`, to show that the
# scenarios can fail: whatever finds nothing here would find nothing anywhere.
#
# otpp_plant_bugs(<folder>): makes the copy, and sets planted_bugs to `<number>:<name>` of each.

# plant(<number> <file> <old> <new>): the old text must stand in the file exactly once.
function(plant number file old new)
  file(READ ${planted_in}/otpp/${file} text)
  string(REPLACE "${old}" "" without "${text}")
  string(LENGTH "${text}" length)
  string(LENGTH "${without}" length_without)
  string(LENGTH "${old}" length_old)
  math(EXPR expected "${length} - ${length_old}")
  if(NOT length_without EQUAL expected)
    message(FATAL_ERROR
      "The text that planted bug ${number} replaces is not in include/otpp/${file}, or not just once:\n\n"
      "${old}\n\n"
      "The header has changed: find the new place for the bug in tests/systematic/orders/planted_bugs.cmake.")
  endif()
  string(REPLACE "${old}" "${new}" text "${text}")
  file(WRITE ${planted_in}/otpp/${file} "${text}")
endfunction()

function(otpp_plant_bugs folder)
  set(planted_in ${folder}.new)
  file(REMOVE_RECURSE ${planted_in})
  file(COPY ${PROJECT_SOURCE_DIR}/include/otpp DESTINATION ${planted_in})
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/*.hpp)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${headers})
  file(APPEND ${planted_in}/otpp/detail/queue/task.hpp "\ninline int otpp_planted_bug = 0;\n")

  set(bugs "")

  # The end does not answer what was left in the mailbox.
  list(APPEND bugs 1:no_drain)
  plant(1 detail/server/end.hpp "  while (left) {\n" "  while (left && otpp_planted_bug != 1) {\n")

  # When a handler has ended, what came in the meantime is not looked at before the server sleeps.
  list(APPEND bugs 2:no_second_look)
  plant(2 detail/server/loop.hpp
    "  if (waits_for_ == waits_for::handler) {
    waits_for_ = waits_for::turn;
  }\n"
    "  if (waits_for_ == waits_for::handler) {
    bool is_forgotten = otpp_planted_bug == 2 && life_ == life::running && cause_ == end_cause::none;
    waits_for_ = is_forgotten ? waits_for::message : waits_for::turn;
  }\n")
  plant(2 detail/queue/mailbox.hpp "    return aside_ || (" "    return (aside_ && otpp_planted_bug != 2) || (")

  # An answer that comes too late is written, and said to have reached somebody.
  list(APPEND bugs 3:answer_without_decision)
  plant(3 detail/reply/reply_slot.hpp
    "    if (!won) {
      release_server_half();
      return false;
    }
    fill();"
    "    if (!won) {
      if (otpp_planted_bug == 3) {
        fill();
      }
      release_server_half();
      return otpp_planted_bug == 3;
    }
    fill();")

  # A name is erased by whoever had asked for it.
  list(APPEND bugs 4:erase_by_name_only)
  plant(4 registry/registry.hpp
    "      if (!server) {\n        return;" "      if (!server && otpp_planted_bug != 4) {\n        return;")
  plant(4 registry/registry.hpp
    "found->second.get() == server)" "(found->second.get() == server || otpp_planted_bug == 4))")

  # A message does not disarm the server's own timeout.
  list(APPEND bugs 5:timer_not_disarmed)
  plant(5 detail/server/loop.hpp
    "  if (idle_ && !idle_->is(&item)) {" "  if (idle_ && !idle_->is(&item) && otpp_planted_bug != 5) {")

  # The names are freed when everybody has been told of the end.
  list(APPEND bugs 6:names_freed_last)
  plant(6 detail/server/end.hpp "  while (registered) {" "  while (registered && otpp_planted_bug != 6) {")

  # The mailbox is emptied, and closed later.
  list(APPEND bugs 7:emptied_before_closed)
  plant(7 detail/queue/mailbox.hpp
    "    if (!line) {
      admission_.close();
      return let_all_go();
    }"
    "    if (!line) {
      if (otpp_planted_bug != 7) {
        admission_.close();
      }
      return let_all_go();
    }")
  plant(7 detail/queue/mailbox.hpp
    "  // Bars the mailbox for everything" "  void close_later() noexcept { admission_.close(); }\n  // Bars the mailbox for everything")
  plant(7 detail/server/end.hpp "  answer_last();\n" "  answer_last();\n  mailbox_.close_later();\n")

  # Of those who wait for the end, one is told.
  list(APPEND bugs 8:only_one_is_told)
  plant(8 detail/server/end.hpp
    "    tell_end(*slot, won);
    if (is_ours) {
      slot->release_server_half();
    }
"
    "    tell_end(*slot, won);
    if (is_ours) {
      slot->release_server_half();
    }
    if (otpp_planted_bug == 8) {
      return;
    }
")

  # Whoever starts a server is forgotten when the server's context is destroyed.
  list(APPEND bugs 9:starter_lost)
  plant(9 detail/server/end.hpp
    "    std::exchange(starter_, nullptr)->fail_unhandled(*this, reason_);"
    "    otpp_planted_bug == 9 ? std::exchange(starter_, nullptr)->discard_message()
                          : std::exchange(starter_, nullptr)->fail_unhandled(*this, reason_);")

  # What comes while a handler waits is handled newest first.
  list(APPEND bugs 10:order_swapped)
  plant(10 detail/queue/mailbox.hpp
    "    item.next = nullptr;
    if (aside_) {
      last_aside_->next = &item;"
    "    item.next = nullptr;
    if (aside_ && otpp_planted_bug == 10) {
      item.next = std::exchange(aside_, &item);
      return;
    }
    if (aside_) {
      last_aside_->next = &item;")

  # The room of one who has given up goes to nobody.
  list(APPEND bugs 11:room_lost)
  plant(11 detail/queue/impl/mailbox.hpp
    "        item->next = std::exchange(ended, item);
        continue;"
    "        item->next = std::exchange(ended, item);
        if (otpp_planted_bug == 11) {
          break;
        }
        continue;")

  # stop(reason, value) answers before the server has ended.
  list(APPEND bugs 12:answer_before_end)
  plant(12 detail/dispatch/call_handler.hpp
    "        server_->answer_at_end(hold.release(), access::value(result).has_value());
        return;"
    "        if (otpp_planted_bug == 12 && access::value(result)) {
          answer_with(hold, result);
          return;
        }
        server_->answer_at_end(hold.release(), access::value(result).has_value());
        return;")

  # A caller that the dying server's state had kept is told that it was dropped.
  list(APPEND bugs 13:end_not_told)
  plant(13 detail/server/open_calls.hpp
    "(is_ending || handed_out_ == &slot)"
    "((is_ending && otpp_planted_bug != 13) || handed_out_ == &slot)")

  # A server that a turn has woken, and has no time for, is forgotten.
  list(APPEND bugs 14:wakeup_lost)
  plant(14 detail/runtime/impl/turn.hpp
    "  if (next_) {
    register_local(next_);
    next_->post_activation();
  }"
    "  if (next_) {
    register_local(next_);
    if (otpp_planted_bug != 14) {
      next_->post_activation();
    }
  }")

  # Only what differs is copied, so that nothing is compiled again for nothing.
  file(GLOB_RECURSE planted RELATIVE ${planted_in} ${planted_in}/*.hpp)
  foreach(header IN LISTS planted)
    file(READ ${planted_in}/${header} text)
    set(old "")
    if(EXISTS ${folder}/${header})
      file(READ ${folder}/${header} old)
    endif()
    if(NOT text STREQUAL old)
      file(WRITE ${folder}/${header} "${text}")
    endif()
  endforeach()
  file(REMOVE_RECURSE ${planted_in})
  set(planted_bugs ${bugs} PARENT_SCOPE)
endfunction()
