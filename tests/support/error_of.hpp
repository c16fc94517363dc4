// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>

#include <asio/awaitable.hpp>

#include <exception>
#include <string>
#include <system_error>
#include <utility>

// What an operation failed with: an empty pointer if it did not fail.
template <class T>
asio::awaitable<std::exception_ptr> failure_of(asio::awaitable<T> operation) {
  try {
    co_await std::move(operation);
  } catch (...) {
    co_return std::current_exception();
  }
  co_return std::exception_ptr();
}

// The code of the error that an operation failed with: none if it did not fail, or with something else.
template <class T>
asio::awaitable<std::error_code> code_of(asio::awaitable<T> operation) {
  std::exception_ptr failure = co_await failure_of(std::move(operation));
  if (failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::system_error& error) {
      co_return error.code();
    } catch (...) {
    }
  }
  co_return std::error_code();
}

// The error that an operation failed with, which must be one of the library's.
template <class T>
asio::awaitable<otpp::error> error_of(asio::awaitable<T> operation) {
  std::exception_ptr failure = co_await failure_of(std::move(operation));
  if (!failure) {
    throw std::logic_error("error_of: there was no error");
  }
  try {
    std::rethrow_exception(failure);
  } catch (const otpp::error& error) {
    co_return error;
  }
}

// The text of an exception; empty if there is none.
inline std::string text_of(std::exception_ptr error) {
  if (!error) {
    return {};
  }
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception of an unknown type";
  }
}
