import type { QelosApi } from './base.types';

/** A pricing plan. Only what plugins commonly read is named here. */
export interface IPlan {
  _id?: string;
  name: string;
  [key: string]: any;
}

/** A user's or a workspace's subscription to a plan. */
export interface ISubscription {
  _id?: string;
  planId: string;
  status: string;
  [key: string]: any;
}

export interface IInvoice {
  _id?: string;
  amount: number;
  currency: string;
  status: string;
  [key: string]: any;
}

export interface ICoupon {
  _id?: string;
  code: string;
  [key: string]: any;
}

export interface CheckoutRequest {
  planId: string;
  billingCycle: 'monthly' | 'yearly';
  couponCode?: string;
  successUrl?: string;
  cancelUrl?: string;
}

export interface CheckoutResponse {
  subscriptionId: string;
  checkoutUrl?: string;
  clientToken?: string;
}

/** Narrows an administrator's list of subscriptions or invoices to those of one payer or in one state. */
export interface BillingQuery {
  billableEntityType?: 'user' | 'workspace';
  billableEntityId?: string;
  status?: string;
}

/** `sdk.payments`: plans, and what the signed-in user pays for. */
export interface QlPayments extends QelosApi {
  getPlans(query?: { isActive?: boolean }): Promise<IPlan[]>;
  getPlan(planId: string): Promise<IPlan>;
  checkout(params: CheckoutRequest): Promise<CheckoutResponse>;
  getMySubscription(): Promise<ISubscription>;
  cancelSubscription(subscriptionId: string): Promise<ISubscription>;
  getInvoices(query?: { status?: string }): Promise<IInvoice[]>;
  getInvoice(invoiceId: string): Promise<IInvoice>;
  validateCoupon(code: string, planId?: string): Promise<ICoupon>;
}

/** `sdk.managePayments`: administration of plans, coupons and everybody's subscriptions. */
export interface QlPaymentsAdmin extends QelosApi {
  getPlans(query?: { isActive?: boolean }): Promise<IPlan[]>;
  getPlan(planId: string): Promise<IPlan>;
  createPlan(data: IPlan): Promise<IPlan>;
  updatePlan(planId: string, data: Partial<IPlan>): Promise<IPlan>;
  deletePlan(planId: string): Promise<IPlan>;
  getSubscriptions(query?: BillingQuery): Promise<ISubscription[]>;
  getSubscription(subscriptionId: string): Promise<ISubscription>;
  cancelSubscription(subscriptionId: string): Promise<ISubscription>;
  getInvoices(query?: BillingQuery): Promise<IInvoice[]>;
  getInvoice(invoiceId: string): Promise<IInvoice>;
  getCoupons(query?: { isActive?: boolean }): Promise<ICoupon[]>;
  getCoupon(couponId: string): Promise<ICoupon>;
  createCoupon(data: ICoupon): Promise<ICoupon>;
  updateCoupon(couponId: string, data: Partial<ICoupon>): Promise<ICoupon>;
  deleteCoupon(couponId: string): Promise<ICoupon>;
}
